package signature

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"slices"
	"sync/atomic"

	"github.com/postern-auth/postern/internal/authz"
)

// newSigV4 makes HMAC-SHA256 with a key that is derived from the secret and the credential scope. The base is the string
// to sign with the canonical request in the place of its hash, for a hash explains nothing.
func newSigV4() *algorithm {
	keys := &derivedKeys{seed: maphash.MakeSeed()}
	return &algorithm{name: hmacSHA256.name, fits: isSecret, mac: keys.sum}
}

// derivedKeys remembers derived keys, since deriving one takes four times as long as using it. Each slot holds the key
// that came there last and all that it was derived from, so a changed secret never meets the key of the old one.
type derivedKeys struct {
	seed  maphash.Seed
	slots [256]atomic.Pointer[derivedKey]
}

type derivedKey struct {
	secret, key authz.Secret
	scope       string
}

// sum is the signature of the base.
func (d *derivedKeys) sum(secret authz.Secret, base []byte) []byte {
	newline := []byte("\n")
	_, rest, _ := bytes.Cut(base, newline) // the algorithm
	_, rest, _ = bytes.Cut(rest, newline)  // the time
	scope, canonical, _ := bytes.Cut(rest, newline)
	toSign := hex.AppendEncode(slices.Clone(base[:len(base)-len(canonical)]), sum256(canonical))
	return sumHMAC(sha256.New, d.key(secret, scope), toSign)
}

// key returns the key of a secret for the scope: a day, region, service and aws4_request.
func (d *derivedKeys) key(secret authz.Secret, scope []byte) authz.Secret {
	hash := maphash.String(d.seed, secret.Reveal()) ^ maphash.Bytes(d.seed, scope)
	slot := &d.slots[hash%uint64(len(d.slots))]
	if known := slot.Load(); known != nil && known.secret == secret && known.scope == string(scope) {
		return known.key
	}
	key := deriveKey(secret, scope)
	slot.Store(&derivedKey{secret, key, string(scope)})
	return key
}

func deriveKey(secret authz.Secret, scope []byte) authz.Secret {
	key := "AWS4" + secret
	for part := range bytes.SplitSeq(scope, []byte("/")) {
		key = authz.Secret(sumHMAC(sha256.New, key, part))
	}
	return key
}
