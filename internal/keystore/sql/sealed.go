package sqlstore

import (
	"context"
	"fmt"

	"github.com/postern-auth/postern/internal/authz"
)

// Sealer encrypts what must be read back, with keys that may change while it is used. The context is bound to what it
// seals: it must be the same to unseal.
type Sealer interface {
	// Seal also returns the id of the key that it has used.
	Seal(secret authz.Secret, context string) (sealed []byte, by uint32, err error)
	Unseal(sealed []byte, context string) (authz.Secret, error)
	// Primary returns the id of the key that Seal uses now.
	Primary() uint32
}

// sealed is an encrypted secret in its columns, NULL if there is none.
type sealed struct {
	text []byte
	by   uint32 // the id of the Sealer's key
}

func (s sealed) columns() (text, by any) {
	if s.text == nil {
		return nil, nil
	}
	return s.text, int64(s.by)
}

var errNoSealer = &InvalidError{"type", "secrets cannot be sealed without a key; set keystore.secretsFile"}

// seal encrypts the key's secret under the key's id, so that a sealed secret put in another row does not unseal.
func (s *Store) seal(k *Key) (sealed, error) {
	if k.Type != HMACSecret {
		return sealed{}, nil
	}
	if s.opts.Sealer == nil {
		return sealed{}, errNoSealer
	}
	text, by, err := s.opts.Sealer.Seal(k.Secret, k.String())
	return sealed{text, by}, err
}

// unseal decrypts a key's secret.
func (s *Store) unseal(name KeyName, text []byte) (authz.Secret, error) {
	if s.opts.Sealer == nil {
		return "", fmt.Errorf("the secret of %s cannot be read: %w", name, errNoSealer)
	}
	secret, err := s.opts.Sealer.Unseal(text, name.String())
	if err != nil {
		return "", fmt.Errorf("the secret of %s cannot be read: %w", name, err)
	}
	return secret, nil
}

// Rewrap seals again every secret that was sealed with another key than the Sealer's primary one, and returns how many.
// It may be interrupted and begun again.
func (s *Store) Rewrap(ctx context.Context) (int, error) {
	if s.opts.Sealer == nil {
		return 0, errNoSealer
	}
	done := 0
	for {
		n := 0
		err := s.Update(ctx, func(tx *Tx) (err error) {
			n, err = tx.rewrapSome()
			return err
		})
		if err != nil || n == 0 {
			return done, err
		}
		done += n
	}
}

// stale is a sealed secret to seal again.
type stale struct {
	KeyName

	text []byte
}

// rewrapSome seals some secrets again and returns how many.
func (tx *Tx) rewrapSome() (int, error) {
	rows, err := all(tx.ctx, tx.sql, func(row scanner) (s stale, err error) {
		return s, row.Scan(&s.Namespace, &s.App, &s.Name, &s.text)
	}, `SELECT namespace, app, name, sealed FROM keys WHERE sealing_key IS NOT NULL AND sealing_key <> $1 LIMIT 100`,
		int64(tx.store.opts.Sealer.Primary()))
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		secret, err := tx.store.unseal(row.KeyName, row.text)
		if err != nil {
			return 0, err
		}
		again, err := tx.store.seal(&Key{KeyName: row.KeyName, Type: HMACSecret, Secret: secret})
		if err != nil {
			return 0, err
		}
		text, by := again.columns()
		if _, err := exec(tx.ctx, tx.sql, `UPDATE keys SET sealed = $4, sealing_key = $5
			WHERE namespace = $1 AND app = $2 AND name = $3`, row.Namespace, row.App, row.Name, text, by); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}
