package sqlstore

import (
	"crypto/x509"
	"encoding/pem"
	"path"
	"testing"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
)

func TestKeyStoreLaw(t *testing.T) {
	both(t, func(t *testing.T, options Options) {
		keystoretest.Test(t, func(t *testing.T, keys []*keystore.Key) keystore.Store {
			o := Options{DSN: options.DSN}
			if options.File != "" {
				o.File = t.TempDir() + "/keys.db"
			} else {
				o.DSN = newDatabase(t)
			}
			s := open(t, o)
			update(t, s, func(tx *Tx) error { return put(tx, keys) })
			return s
		})
	})
}

// put stores keys as they are, and their Apps.
func put(tx *Tx, keys []*keystore.Key) error {
	seen := map[*keystore.App]bool{}
	for _, k := range keys {
		if !seen[k.App] {
			seen[k.App] = true
			_, err := tx.CreateApp(App{
				AppName: AppName{k.App.Namespace, k.App.Name}, Disabled: k.App.Disabled, Scopes: k.App.Scopes.List(),
				Labels: k.App.Labels, Attributes: k.App.Attributes,
			})
			if err != nil {
				return err
			}
		}
		if _, err := tx.CreateKey(record(k)); err != nil {
			return err
		}
	}
	return nil
}

// record is what is stored of a key.
func record(k *keystore.Key) Key {
	r := Key{
		KeyName: KeyName{k.App.Namespace, k.App.Name, path.Base(k.ID)},
		Type:    APIKey, Digest: k.Digest, Scopes: append([]string{}, k.Scopes.List()...), Disabled: k.Disabled,
		NotBefore: k.NotBefore, ExpiresAt: k.ExpiresAt,
	}
	if s := k.Signing; s != nil {
		r.Type, r.SigningID, r.Algorithm, r.Secret = HMACSecret, s.ID, s.Algorithm, s.Secret
		if s.PublicKey != nil {
			der, err := x509.MarshalPKIXPublicKey(s.PublicKey)
			if err != nil {
				panic(err)
			}
			r.Type, r.PublicKey = PublicKey, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		}
	}
	return r
}
