package sqlstore

import (
	"errors"
	"slices"

	"github.com/postern-auth/postern/internal/keystore"
)

// CreateKey stores a new key of an App and returns it completed. ErrNotFound if there is no such App, ErrExists if its
// name, its digest, or in its namespace its signing id is taken.
func (tx *Tx) CreateKey(k Key) (Key, error) {
	made, err := tx.CreateKeys(k.AppName(), []Key{k})
	if err != nil {
		return Key{}, err
	}
	return made[0], nil
}

// CreateKeys stores new keys of one App, all or none, and returns them completed. Errors are those of CreateKey; after
// one the Update can only fail.
func (tx *Tx) CreateKeys(app AppName, keys []Key) ([]Key, error) {
	if _, err := tx.App(app); err != nil {
		return nil, err
	}
	made := slices.Clone(keys)
	rows := make([][]any, len(made))
	revision := tx.announce(app, made)
	for i := range made {
		k := &made[i]
		k.Namespace, k.App = app.Namespace, app.Name
		if err := errors.Join(k.complete(), k.matchesType()); err != nil {
			return nil, err
		}
		k.CreatedAt, k.UpdatedAt, k.Revision = tx.now, tx.now, revision
		sealed, err := tx.store.seal(k)
		if err != nil {
			return nil, err
		}
		rows[i] = k.row(sealed)
		k.Secret = ""
	}
	n, err := tx.insert(`INSERT INTO keys (namespace, app, name, type, description, digest, pepper, prefix,
		last_four, subject, signing_id, algorithm, public_key, sealed, sealing_key, scopes, disabled, not_before, expires_at,
		revoked_at, successor, created_at, updated_at, revision)`, rows, `ON CONFLICT DO NOTHING`)
	switch {
	case err != nil:
		return nil, err
	case n < int64(len(rows)):
		err := tx.obstacle(made)
		if n > 0 {
			tx.broken = err
		}
		return nil, err
	}
	return made, tx.notePeppers(made)
}

// announce records that keys of the App will be made, as a change of the App if there are several. It returns the number
// of the change.
func (tx *Tx) announce(app AppName, keys []Key) int64 {
	if len(keys) == 1 && keys[0].SigningID == "" {
		return tx.change(Change{App: app, Digest: keys[0].Digest})
	}
	var revision int64
	for _, k := range keys {
		if k.SigningID != "" {
			revision = tx.change(Change{App: app, SigningID: k.SigningID})
		}
	}
	if revision == 0 {
		revision = tx.change(Change{App: app})
	}
	return revision
}

// notePeppers records which peppers are in use.
func (tx *Tx) notePeppers(keys []Key) error {
	var rows [][]any
	for _, k := range keys {
		if k.SigningID == "" && !slices.Contains(tx.peppers, k.Digest.Pepper) {
			tx.peppers = append(tx.peppers, k.Digest.Pepper)
			rows = append(rows, []any{k.Digest.Pepper})
		}
	}
	_, err := tx.insert(`INSERT INTO peppers (id)`, rows, `ON CONFLICT DO NOTHING`)
	return err
}

// row returns the columns of a new key.
func (k *Key) row(s sealed) []any {
	var digest, pepper any
	if k.SigningID == "" {
		digest, pepper = k.Digest.Sum[:], k.Digest.Pepper
	}
	secret, by := s.columns()
	return []any{
		k.Namespace, k.App, k.Name, string(k.Type), k.Description, digest, pepper, k.Prefix,
		k.LastFour, optional(k.Subject), optional(k.SigningID), k.Algorithm, k.PublicKey, secret, by, asJSON(&k.Scopes),
		k.Disabled, instant(k.NotBefore), instant(k.ExpiresAt),
		instant(k.RevokedAt), k.Successor, instant(k.CreatedAt), instant(k.UpdatedAt), k.Revision,
	}
}

// obstacle returns the error that says which of the keys could not be made, and why: something in the database that was
// there before, or another of them.
func (tx *Tx) obstacle(keys []Key) error {
	names, digests, signers := map[KeyName]KeyName{}, map[keystore.Digest]KeyName{}, map[string]KeyName{}
	for _, k := range keys {
		checks := []error{
			taken(tx, "key", names, k.KeyName, k, `namespace = $2 AND app = $3 AND name = $4`, k.Namespace, k.App, k.Name),
		}
		if k.SigningID == "" {
			checks = append(checks, taken(tx, "digest", digests, k.Digest, k, `digest = $2 AND pepper = $3`, k.Digest.Sum[:], k.Digest.Pepper))
		} else {
			checks = append(checks, taken(tx, "signing id", signers, k.SigningID, k, `signing_id = $2 AND namespace = $3`, k.SigningID, k.Namespace))
		}
		if i := slices.IndexFunc(checks, func(err error) bool { return err != nil }); i >= 0 {
			return checks[i]
		}
	}
	return unavailable(errors.New("a key was not stored, and nothing is in its way"))
}

// taken returns an ExistsError if what the condition describes, in which $1 is the key's revision, has been stored
// before, or stands in seen.
func taken[T comparable](tx *Tx, what string, seen map[T]KeyName, id T, k Key, condition string, args ...any) error {
	if by, twice := seen[id]; twice {
		return &ExistsError{What: what, By: by}
	}
	seen[id] = k.KeyName
	by, err := one(tx.ctx, tx.sql, func(row scanner) (n KeyName, err error) { return n, row.Scan(&n.Namespace, &n.App, &n.Name) },
		`SELECT namespace, app, name FROM keys WHERE revision < $1 AND `+condition, append([]any{k.Revision}, args...)...)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return &ExistsError{What: what, By: by}
}

// UpdateKey stores another version of the key and returns it completed: its Description, Scopes, Disabled, NotBefore,
// ExpiresAt, RevokedAt and Successor; the rest of it stays. ErrConflict if the Revision is not that of the stored one,
// ErrNotFound if there is none.
func (tx *Tx) UpdateKey(k Key) (Key, error) {
	next, err := tx.Key(k.KeyName)
	if err != nil {
		return Key{}, err
	}
	if next.Revision != k.Revision {
		return Key{}, ErrConflict
	}
	next.Description, next.Scopes, next.Disabled, next.NotBefore = k.Description, k.Scopes, k.Disabled, k.NotBefore
	next.ExpiresAt, next.RevokedAt, next.Successor = k.ExpiresAt, k.RevokedAt, k.Successor
	if err := next.complete(); err != nil {
		return Key{}, err
	}
	next.UpdatedAt, next.Revision = tx.now, tx.change(next.change())
	_, err = exec(tx.ctx, tx.sql, `UPDATE keys SET description = $4, scopes = $5, disabled = $6, not_before = $7,
			expires_at = $8, revoked_at = $9, successor = $10, updated_at = $11, revision = $12
		WHERE namespace = $1 AND app = $2 AND name = $3`,
		next.Namespace, next.App, next.Name, next.Description, asJSON(&next.Scopes), next.Disabled, instant(next.NotBefore),
		instant(next.ExpiresAt), instant(next.RevokedAt), next.Successor, instant(next.UpdatedAt), next.Revision)
	return next, err
}

// DeleteKey deletes a key. ErrNotFound if there is none.
func (tx *Tx) DeleteKey(name KeyName) error {
	k, err := tx.Key(name)
	if err != nil {
		return err
	}
	tx.change(k.change())
	_, err = exec(tx.ctx, tx.sql, `DELETE FROM keys WHERE namespace = $1 AND app = $2 AND name = $3`,
		name.Namespace, name.App, name.Name)
	return err
}

// change is what a change of the key makes stale.
func (k *Key) change() Change {
	return Change{App: k.AppName(), Digest: k.Digest, SigningID: k.SigningID}
}
