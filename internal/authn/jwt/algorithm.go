package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // linked for crypto.SHA256
	_ "crypto/sha512" // linked for crypto.SHA384 and crypto.SHA512
	"math/big"
)

// algorithm is one way of signing (RFC 7518 section 3, RFC 8037 section 3.1).
type algorithm struct {
	name   string
	family family
	hash   crypto.Hash    // none for EdDSA
	curve  elliptic.Curve // of ecdsaRaw
}

// family says which kind of key an algorithm takes and how it uses it.
type family uint8

const (
	rsaPKCS1 family = iota + 1
	rsaPSS
	ecdsaRaw
	edwards
	hmacSHA2
)

// hmacKey is a shared secret.
type hmacKey []byte

// algorithms are all that can be configured. EdDSA has a second name since RFC 9864; it is one algorithm here, for
// Ed25519 is the only curve of it in use with tokens. "none" is none of them.
var algorithms = map[string]*algorithm{
	"RS256":   {"RS256", rsaPKCS1, crypto.SHA256, nil},
	"RS384":   {"RS384", rsaPKCS1, crypto.SHA384, nil},
	"RS512":   {"RS512", rsaPKCS1, crypto.SHA512, nil},
	"PS256":   {"PS256", rsaPSS, crypto.SHA256, nil},
	"PS384":   {"PS384", rsaPSS, crypto.SHA384, nil},
	"PS512":   {"PS512", rsaPSS, crypto.SHA512, nil},
	"ES256":   {"ES256", ecdsaRaw, crypto.SHA256, elliptic.P256()},
	"ES384":   {"ES384", ecdsaRaw, crypto.SHA384, elliptic.P384()},
	"ES512":   {"ES512", ecdsaRaw, crypto.SHA512, elliptic.P521()},
	"EdDSA":   edDSA,
	"Ed25519": edDSA,
	"HS256":   {"HS256", hmacSHA2, crypto.SHA256, nil},
	"HS384":   {"HS384", hmacSHA2, crypto.SHA384, nil},
	"HS512":   {"HS512", hmacSHA2, crypto.SHA512, nil},
}

var edDSA = &algorithm{name: "EdDSA", family: edwards}

// fits reports whether the key is of the type, and on the curve, that the algorithm asks for.
func (a *algorithm) fits(public any) bool {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return a.family == rsaPKCS1 || a.family == rsaPSS
	case *ecdsa.PublicKey:
		return a.family == ecdsaRaw && k.Curve == a.curve
	case ed25519.PublicKey:
		return a.family == edwards
	case hmacKey:
		return a.family == hmacSHA2
	default:
		return false
	}
}

// verify reports whether signature is the key's over signed. It goes to the standard library directly: jwx takes a
// PSS salt of any length, where RFC 7518 section 3.5 demands that of the hash.
func (a *algorithm) verify(public any, signed, signature []byte) bool {
	if !a.fits(public) {
		return false
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
		if a.family == rsaPSS {
			salt := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			return rsa.VerifyPSS(k, a.hash, a.digest(signed), signature, &salt) == nil
		}
		return rsa.VerifyPKCS1v15(k, a.hash, a.digest(signed), signature) == nil
	case *ecdsa.PublicKey:
		size := (a.curve.Params().BitSize + 7) / 8
		if len(signature) != 2*size {
			return false
		}
		var r, s big.Int
		return ecdsa.Verify(k, a.digest(signed), r.SetBytes(signature[:size]), s.SetBytes(signature[size:]))
	case ed25519.PublicKey:
		return ed25519.Verify(k, signed, signature)
	case hmacKey:
		mac := hmac.New(a.hash.New, k)
		mac.Write(signed)
		return hmac.Equal(mac.Sum(nil), signature)
	default:
		return false
	}
}

func (a *algorithm) digest(signed []byte) []byte {
	h := a.hash.New()
	h.Write(signed)
	return h.Sum(nil)
}
