package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Limits of a key set.
const (
	maxKeys    = 100
	minRSABits = 2048
	maxRSABits = 8192
)

// keySet is the signing keys of one issuer. It is immutable; by its digest whoever remembers what was verified with it
// can tell that the keys have changed.
type keySet struct {
	keys   []key
	shared bool              // a secret instead of a JWK Set: it has no id, and a token's kid means nothing
	digest [sha256.Size]byte // of the document, or of the secret
}

// key is one key that verifies.
type key struct {
	id        string
	algorithm *algorithm // the only one that the JWK is for; nil: any that fits
	public    any        // *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or hmacKey
}

// find returns the key that must have signed t with a: errUnknownKey if the set has none of its kid, another Failure
// if there is no telling, or if the key is not for a.
func (s *keySet) find(t *token, a *algorithm) (*key, error) {
	if s.shared {
		return s.keys[0].forAlgorithm(a)
	}
	if !t.hasKeyID {
		if len(s.keys) != 1 {
			return nil, errNoKeyID
		}
		return s.keys[0].forAlgorithm(a)
	}
	var found *key
	failure := errUnknownKey
	for i := range s.keys {
		if s.keys[i].id != t.keyID {
			continue
		}
		k, err := s.keys[i].forAlgorithm(a)
		switch {
		case err != nil:
			failure = errKeyType
		case found != nil:
			return nil, errTwoKeys
		default:
			found = k
		}
	}
	if found == nil {
		return nil, failure
	}
	return found, nil
}

// forAlgorithm returns k, or errKeyType if k is not for a.
func (k *key) forAlgorithm(a *algorithm) (*key, error) {
	if k.algorithm != nil && k.algorithm != a || !a.fits(k.public) {
		return nil, errKeyType
	}
	return k, nil
}

// parseKeySet reads a JWK Set (RFC 7517 section 5). Keys that are not for verifying tokens, or of kinds that are not
// supported, are passed over. Keys that nobody should use are passed over too and told in refused: secret, private,
// broken, too short or too long ones. Set is nil if the document is not a JWK Set at all.
//
// A set without any key is a set: an issuer may withdraw all of its keys.
func parseKeySet(document []byte) (set *keySet, refused []error, err error) {
	object, err := decodeObject(string(document))
	if err != nil {
		return nil, nil, err
	}
	list, ok := object["keys"].([]any)
	if !ok {
		return nil, nil, errors.New("not a JWK Set: it has no array \"keys\"")
	}
	if len(list) > maxKeys {
		return nil, nil, fmt.Errorf("a JWK Set of %d keys; %d are the most", len(list), maxKeys)
	}
	set = &keySet{digest: sha256.Sum256(document)}
	for i := range list {
		k, err := parseKey(list[i])
		switch {
		case err == nil:
			set.keys = append(set.keys, *k)
		case !errors.Is(err, errOtherUse):
			refused = append(refused, fmt.Errorf("keys[%d]: %w", i, err))
		}
	}
	return set, refused, nil
}

var (
	errOtherUse = errors.New("a key that is not for verifying tokens")
	errMember   = errors.New("not a JWK: kty, kid, use, alg or crv is not a string, or key_ops not an array")
)

// parseKey reads a JWK (RFC 7517 section 4). It returns errOtherUse for a key that is not for verifying tokens.
func parseKey(v any) (*key, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errMember
	}
	var kind, id, use, alg, curve string
	for name, to := range map[string]*string{"kty": &kind, "kid": &id, "use": &use, "alg": &alg, "crv": &curve} {
		v, there := object[name]
		if *to, ok = v.(string); there && !ok {
			return nil, errMember
		}
	}
	operations, limited := object["key_ops"]
	allowed, ok := operations.([]any)
	if limited && !ok {
		return nil, errMember
	}
	only := algorithms[alg]
	switch {
	case kind == "oct":
		return nil, errors.New("a symmetric key: everybody who sees the set could sign with it")
	case use != "" && use != "sig", limited && !slices.Contains(allowed, any("verify")),
		alg != "" && only == nil, !supportedCurve[kind+" "+curve]:
		return nil, errOtherUse
	}
	public, err := publicKey(object)
	if err != nil {
		return nil, err
	}
	if only != nil && !only.fits(public) {
		return nil, fmt.Errorf("its alg %s does not fit its kty", alg)
	}
	return &key{id: id, algorithm: only, public: public}, nil
}

var supportedCurve = map[string]bool{"RSA ": true, "EC P-256": true, "EC P-384": true, "EC P-521": true, "OKP Ed25519": true}

// publicKey makes the key of a JWK's own members; certificates and addresses in it (x5c, x5u) are not looked at.
func publicKey(object map[string]any) (any, error) {
	if _, private := object["d"]; private {
		return nil, errors.New("a private key: it is no longer one")
	}
	material := map[string]any{}
	for _, name := range [...]string{"kty", "crv", "x", "y", "n", "e"} {
		if v, there := object[name]; there {
			material[name] = v
		}
	}
	text, err := json.Marshal(material)
	if err != nil {
		return nil, err
	}
	parsed, err := jwk.ParseKey(text)
	if err != nil {
		return nil, err
	}
	var raw any
	if err := parsed.Raw(&raw); err != nil {
		return nil, err
	}
	switch k := raw.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("an RSA key of %d bits; %d to %d are accepted", bits, minRSABits, maxRSABits)
		}
		if k.E < 3 || k.E&1 == 0 || k.E > 1<<31-1 {
			return nil, errors.New("an RSA key whose exponent is not an odd number from 3 to 2^31-1")
		}
	case *ecdsa.PublicKey:
		if _, err := k.ECDH(); err != nil {
			return nil, errors.New("an EC key that is not a point on its curve")
		}
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return nil, errors.New("an Ed25519 key that is not 32 bytes long")
		}
	default:
		return nil, errors.New("not a public key")
	}
	return raw, nil
}

// sharedSecret makes the key set of a secret for HS* algorithms.
func sharedSecret(secret []byte) *keySet {
	return &keySet{keys: []key{{public: hmacKey(secret)}}, shared: true, digest: sha256.Sum256(secret)}
}
