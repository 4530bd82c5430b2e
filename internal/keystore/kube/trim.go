package kube

import (
	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// LabelCredential marks the Secrets that Postern may read. Its value says what a Secret is for: CredentialAPIKey, or
// anything else for one that other resources refer to.
const (
	LabelCredential  = "postern.dev/credential" //nolint:gosec // it is a label's name
	CredentialAPIKey = "api-key"
)

// IsAPIKey reports whether the labels are those of an API key.
func IsAPIKey(labels map[string]string) bool { return labels[LabelCredential] == CredentialAPIKey }

// The keys of a Secret's data, of which it has one.
const (
	keyDigest = "digest"
	keyText   = "key"
)

// Trim returns what may be kept of the data of an API key: its digest. A key's text becomes its digest; what is wrong
// stays wrong, with empty values. Trimming again changes nothing.
func Trim(data map[string][]byte, hasher *keystore.Hasher) map[string][]byte {
	digest, hasDigest := data[keyDigest]
	text, hasText := data[keyText]
	kept := make(map[string][]byte, 2)
	switch {
	case hasText && hasDigest:
		kept[keyText], kept[keyDigest] = nil, nil
	case hasText:
		key, err := v1alpha1.SecretText.Decode(text)
		if err != nil || len(key) == 0 {
			kept[keyText] = nil
			break
		}
		kept[keyDigest] = []byte(hasher.Keep(authz.Secret(key)).String())
	case hasDigest:
		kept[keyDigest] = nil // it may be the key, in the wrong place
		if d, err := keystore.ParseDigest(string(digest)); err == nil {
			kept[keyDigest] = []byte(d.String())
		}
	}
	return kept
}
