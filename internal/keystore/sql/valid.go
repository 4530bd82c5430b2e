package sqlstore

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
)

// text is a field of a record, or all the texts of one.
type text struct{ field, value string }

// storable reports the first text that PostgreSQL would not take, so that SQLite takes no more.
func storable(texts ...text) error {
	for _, t := range texts {
		if strings.Contains(t.value, "\x00") || !utf8.ValidString(t.value) {
			return &InvalidError{t.field, "a NUL byte, or something that is not UTF-8, cannot be stored; leave it out"}
		}
	}
	return nil
}

func joinedMap(m map[string]string) string {
	var b strings.Builder
	for name, value := range m {
		b.WriteString(name + "\n" + value + "\n")
	}
	return b.String()
}

// complete brings the App into the form that it is stored in.
func (a *App) complete() error {
	a.Scopes = ordered(a.Scopes)
	if a.Labels == nil {
		a.Labels = map[string]string{}
	}
	if a.Attributes == nil {
		a.Attributes = map[string]string{}
	}
	return storable(
		text{"namespace", a.Namespace}, text{"name", a.Name}, text{"display_name", a.DisplayName}, text{"owner", a.Owner},
		text{"description", a.Description}, text{"scopes", strings.Join(a.Scopes, "\n")},
		text{"labels", joinedMap(a.Labels)}, text{"attributes", joinedMap(a.Attributes)},
	)
}

// complete brings the key into the form that it is stored in.
func (k *Key) complete() error {
	if k.Scopes != nil {
		k.Scopes = ordered(k.Scopes)
	}
	k.NotBefore, k.ExpiresAt, k.RevokedAt = stored(k.NotBefore), stored(k.ExpiresAt), stored(k.RevokedAt)
	return storable(
		text{"namespace", k.Namespace}, text{"app", k.App}, text{"name", k.Name}, text{"description", k.Description},
		text{"pepper", k.Digest.Pepper}, text{"prefix", k.Prefix}, text{"last_four", k.LastFour}, text{"subject", k.Subject},
		text{"signing_key_id", k.SigningID}, text{"algorithm", k.Algorithm}, text{"public_key", k.PublicKey},
		text{"scopes", strings.Join(k.Scopes, "\n")}, text{"successor", k.Successor},
	)
}

// matchesType reports a field that a new key of this type must have, or must not, so that it can be read again.
func (k *Key) matchesType() error {
	switch k.Type {
	case APIKey, PersonalAccessToken:
		if k.Digest.Sum == [32]byte{} || k.SigningID != "" {
			return &InvalidError{"digest", "an API key has a digest and no signing id"}
		}
	case HMACSecret, PublicKey:
		if k.SigningID == "" || k.Digest != (keystore.Digest{}) {
			return &InvalidError{"signing_key_id", "a signing key has a signing id and no digest"}
		}
		if _, err := k.signing(k.Secret); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	default:
		return &InvalidError{"type", fmt.Sprintf("%q is no type of key", k.Type)}
	}
	if strings.HasPrefix(k.Subject, "app:") {
		return &InvalidError{"subject", "what begins with app: is the subject of an App; name a user"}
	}
	if (k.Type == PersonalAccessToken) != (k.Subject != "") {
		return &InvalidError{"subject", "a personal access token has one, and no other key"}
	}
	return nil
}

// signing returns what verifies signatures of the key; nil for API keys.
func (k *Key) signing(secret authz.Secret) (*keystore.SigningKey, error) {
	switch k.Type {
	case HMACSecret:
		return keystore.NewSecretKey(k.SigningID, secret, k.Algorithm)
	case PublicKey:
		return keystore.NewPublicKey(k.SigningID, k.PublicKey, k.Algorithm)
	case APIKey, PersonalAccessToken:
		return nil, nil //nolint:nilnil // it has none
	}
	return nil, fmt.Errorf("%w: %q is no type of key", ErrInvalid, k.Type)
}

// ordered returns the names sorted, without repeats, and never nil.
func ordered(names []string) []string {
	return append([]string{}, authz.NewScopes(names...).List()...)
}
