package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"math/big"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
)

// algorithm is one of RFC 9421 section 3.3. The key decides which are possible, so that a public key never serves as
// an HMAC secret; what a signature says of itself only has to agree.
type algorithm struct {
	name   string
	fits   func(k *keystore.SigningKey) bool
	verify func(k *keystore.SigningKey, base, sig []byte) bool
	sign   func(key any, base []byte) ([]byte, error) // nil without error: the key does not fit
}

// algorithms stand in order of preference: a key that several fit is used with the first.
var algorithms = []*algorithm{
	{"hmac-sha256", isSecret, verifyHMAC, signHMAC},
	{"ed25519", isEd25519, verifyEd25519, signEd25519},
	{"ecdsa-p256-sha256", isECDSA(elliptic.P256()), verifyECDSA(sum256), signECDSA(elliptic.P256(), sum256)},
	{"ecdsa-p384-sha384", isECDSA(elliptic.P384()), verifyECDSA(sum384), signECDSA(elliptic.P384(), sum384)},
	{"rsa-pss-sha512", isRSA, verifyPSS, signPSS},
	{"rsa-v1_5-sha256", isRSA, verifyPKCS1, signPKCS1},
}

func algorithmNamed(name string) *algorithm {
	for _, a := range algorithms {
		if a.name == name {
			return a
		}
	}
	return nil
}

// algorithmFor returns the algorithm of a key among those accepted, nil if there is none or the signature claims another.
func algorithmFor(k *keystore.SigningKey, claimed string, accepted []*algorithm) *algorithm {
	for _, a := range accepted {
		if (k.Algorithm == "" || k.Algorithm == a.name) && (claimed == "" || claimed == a.name) && a.fits(k) {
			return a
		}
	}
	return nil
}

func sum256(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

func sum384(b []byte) []byte {
	h := sha512.Sum384(b)
	return h[:]
}

func sum512(b []byte) []byte {
	h := sha512.Sum512(b)
	return h[:]
}

// HMAC (section 3.3.3).

func isSecret(k *keystore.SigningKey) bool { return k.Secret != "" && k.PublicKey == nil }

func verifyHMAC(k *keystore.SigningKey, base, sig []byte) bool {
	return hmac.Equal(sumHMAC(k.Secret, base), sig)
}

func signHMAC(key any, base []byte) ([]byte, error) {
	if secret, ok := key.(authz.Secret); ok && secret != "" {
		return sumHMAC(secret, base), nil
	}
	return nil, nil
}

func sumHMAC(secret authz.Secret, base []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret.Reveal()))
	h.Write(base)
	return h.Sum(nil)
}

// Ed25519 (section 3.3.6).

func isEd25519(k *keystore.SigningKey) bool {
	_, ok := k.PublicKey.(ed25519.PublicKey)
	return ok
}

func verifyEd25519(k *keystore.SigningKey, base, sig []byte) bool {
	return ed25519.Verify(k.PublicKey.(ed25519.PublicKey), base, sig)
}

func signEd25519(key any, base []byte) ([]byte, error) {
	if priv, ok := key.(ed25519.PrivateKey); ok {
		return ed25519.Sign(priv, base), nil
	}
	return nil, nil
}

// ECDSA (sections 3.3.4 and 3.3.5): r and s at full length, one after the other.

func isECDSA(curve elliptic.Curve) func(*keystore.SigningKey) bool {
	return func(k *keystore.SigningKey) bool {
		pub, ok := k.PublicKey.(*ecdsa.PublicKey)
		return ok && pub.Curve == curve
	}
}

func verifyECDSA(sum func([]byte) []byte) func(*keystore.SigningKey, []byte, []byte) bool {
	return func(k *keystore.SigningKey, base, sig []byte) bool {
		pub := k.PublicKey.(*ecdsa.PublicKey)
		half := (pub.Curve.Params().BitSize + 7) / 8
		if len(sig) != 2*half {
			return false
		}
		r, s := new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])
		return ecdsa.Verify(pub, sum(base), r, s)
	}
}

func signECDSA(curve elliptic.Curve, sum func([]byte) []byte) func(any, []byte) ([]byte, error) {
	return func(key any, base []byte) ([]byte, error) {
		priv, ok := key.(*ecdsa.PrivateKey)
		if !ok || priv.Curve != curve {
			return nil, nil
		}
		r, s, err := ecdsa.Sign(rand.Reader, priv, sum(base))
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		half := (curve.Params().BitSize + 7) / 8
		sig := make([]byte, 2*half)
		r.FillBytes(sig[:half])
		s.FillBytes(sig[half:])
		return sig, nil
	}
}

// RSA (sections 3.3.1 and 3.3.2). The salt of RSASSA-PSS is 64 bytes long, neither more nor less.

var pss = &rsa.PSSOptions{SaltLength: 64, Hash: crypto.SHA512}

func isRSA(k *keystore.SigningKey) bool {
	_, ok := k.PublicKey.(*rsa.PublicKey)
	return ok
}

func verifyPSS(k *keystore.SigningKey, base, sig []byte) bool {
	return rsa.VerifyPSS(k.PublicKey.(*rsa.PublicKey), crypto.SHA512, sum512(base), sig, pss) == nil
}

func signPSS(key any, base []byte) ([]byte, error) {
	if priv, ok := key.(*rsa.PrivateKey); ok {
		return rsa.SignPSS(rand.Reader, priv, crypto.SHA512, sum512(base), pss)
	}
	return nil, nil
}

func verifyPKCS1(k *keystore.SigningKey, base, sig []byte) bool {
	return rsa.VerifyPKCS1v15(k.PublicKey.(*rsa.PublicKey), crypto.SHA256, sum256(base), sig) == nil
}

func signPKCS1(key any, base []byte) ([]byte, error) {
	if priv, ok := key.(*rsa.PrivateKey); ok {
		return rsa.SignPKCS1v15(nil, priv, crypto.SHA256, sum256(base))
	}
	return nil, nil
}
