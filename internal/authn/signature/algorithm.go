package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // see sum1
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"math/big"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
)

// algorithm is one way to sign. The key decides which are possible, so that a public key never serves as an HMAC
// secret; what a signature says of itself only has to agree.
type algorithm struct {
	name string
	fits func(k *keystore.SigningKey) bool

	// mac is what a secret makes of the base, nil if the secret is of no use. An algorithm with a mac has nothing else.
	mac func(secret authz.Secret, base []byte) []byte

	verify func(k *keystore.SigningKey, base, sig []byte) bool
	sign   func(key any, base []byte) ([]byte, error) // nil without error: the key does not fit
}

// verifies reports whether one of the claim's signatures is the key's. However many there are, a mac is made once.
func (a *algorithm) verifies(k *keystore.SigningKey, base []byte, c *claim) bool {
	verify := func(sig []byte) bool { return a.verify(k, base, sig) }
	if a.mac != nil {
		mac := a.mac(k.Secret, base)
		verify = func(sig []byte) bool { return len(mac) > 0 && hmac.Equal(mac, sig) }
	}
	ok := verify(c.signature)
	for _, other := range c.others {
		ok = verify(other) || ok
	}
	return ok
}

// signs makes a signature of the base. It returns nil without an error if the key does not fit.
func (a *algorithm) signs(key any, base []byte) ([]byte, error) {
	if a.mac == nil {
		return a.sign(key, base)
	}
	if secret, ok := key.(authz.Secret); ok && secret != "" {
		return a.mac(secret, base), nil
	}
	return nil, nil
}

// The algorithms of RFC 9421 section 3.3, and those that other profiles know beside them.
var (
	hmacSHA1    = &algorithm{name: "hmac-sha1", fits: isSecret, mac: macWith(sha1.New)}
	hmacSHA256  = &algorithm{name: "hmac-sha256", fits: isSecret, mac: macWith(sha256.New)}
	hmacSHA384  = &algorithm{name: "hmac-sha384", fits: isSecret, mac: macWith(sha512.New384)}
	hmacSHA512  = &algorithm{name: "hmac-sha512", fits: isSecret, mac: macWith(sha512.New)}
	pureEd25519 = &algorithm{name: "ed25519", fits: isEd25519, verify: verifyEd25519, sign: signEd25519}
	ecdsaP256   = &algorithm{name: "ecdsa-p256-sha256", fits: isECDSA(elliptic.P256()), verify: verifyECDSA(sum256), sign: signECDSA(elliptic.P256(), sum256)}
	ecdsaP384   = &algorithm{name: "ecdsa-p384-sha384", fits: isECDSA(elliptic.P384()), verify: verifyECDSA(sum384), sign: signECDSA(elliptic.P384(), sum384)}
	ecdsaASN1   = &algorithm{name: "ecdsa-sha256", fits: isECDSA(elliptic.P256()), verify: verifyASN1, sign: signASN1}
	rsaPSS      = &algorithm{name: "rsa-pss-sha512", fits: isRSA, verify: verifyPSS, sign: signPSS}
	rsaV15      = &algorithm{name: "rsa-v1_5-sha256", fits: isRSA, verify: verifyPKCS1(crypto.SHA256, sum256), sign: signPKCS1(crypto.SHA256, sum256)}
	rsaSHA1     = &algorithm{name: "rsa-sha1", fits: isRSA, verify: verifyPKCS1(crypto.SHA1, sum1), sign: signPKCS1(crypto.SHA1, sum1)}
	rsaSHA256   = &algorithm{name: "rsa-sha256", fits: isRSA, verify: verifyPKCS1(crypto.SHA256, sum256), sign: signPKCS1(crypto.SHA256, sum256)}
	rsaSHA512   = &algorithm{name: "rsa-sha512", fits: isRSA, verify: verifyPKCS1(crypto.SHA512, sum512), sign: signPKCS1(crypto.SHA512, sum512)}
)

// accept returns the algorithms of a profile that a scheme names.
func accept(names []string, known []*algorithm) ([]*algorithm, error) {
	var accepted []*algorithm
	for i, name := range names {
		a := algorithmNamed(name, known)
		if a == nil {
			return nil, fmt.Errorf("algorithms[%d]: the profile has no algorithm %q", i, name)
		}
		accepted = append(accepted, a)
	}
	if len(accepted) == 0 {
		return nil, errors.New("algorithms: is empty; name at least one")
	}
	return accepted, nil
}

func algorithmNamed(name string, known []*algorithm) *algorithm {
	for _, a := range known {
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

// signWith signs with the algorithm of that name or, without one, with the first that fits the key.
func signWith(known []*algorithm, name string, key any, base []byte) ([]byte, error) {
	for _, a := range known {
		if name != "" && name != a.name {
			continue
		}
		if sig, err := a.signs(key, base); sig != nil || err != nil {
			return sig, err
		}
	}
	if name == "" {
		return nil, errors.New("the key fits no algorithm of the profile")
	}
	return nil, fmt.Errorf("the key does not fit algorithm %q, or the profile does not have it", name)
}

func sum1(b []byte) []byte {
	h := sha1.Sum(b) //nolint:gosec // for clients that can do nothing else, and only where a scheme names it
	return h[:]
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

func macWith(h func() hash.Hash) func(authz.Secret, []byte) []byte {
	return func(secret authz.Secret, base []byte) []byte { return sumHMAC(h, secret, base) }
}

func sumHMAC(h func() hash.Hash, secret authz.Secret, base []byte) []byte {
	mac := hmac.New(h, []byte(secret.Reveal()))
	mac.Write(base)
	return mac.Sum(nil)
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

// ECDSA outside of RFC 9421: r and s in ASN.1.

func verifyASN1(k *keystore.SigningKey, base, sig []byte) bool {
	return ecdsa.VerifyASN1(k.PublicKey.(*ecdsa.PublicKey), sum256(base), sig)
}

func signASN1(key any, base []byte) ([]byte, error) {
	if priv, ok := key.(*ecdsa.PrivateKey); ok && priv.Curve == elliptic.P256() {
		return ecdsa.SignASN1(rand.Reader, priv, sum256(base))
	}
	return nil, nil
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

func verifyPKCS1(h crypto.Hash, sum func([]byte) []byte) func(*keystore.SigningKey, []byte, []byte) bool {
	return func(k *keystore.SigningKey, base, sig []byte) bool {
		return rsa.VerifyPKCS1v15(k.PublicKey.(*rsa.PublicKey), h, sum(base), sig) == nil
	}
}

func signPKCS1(h crypto.Hash, sum func([]byte) []byte) func(any, []byte) ([]byte, error) {
	return func(key any, base []byte) ([]byte, error) {
		if priv, ok := key.(*rsa.PrivateKey); ok {
			return rsa.SignPKCS1v15(nil, priv, h, sum(base))
		}
		return nil, nil
	}
}
