package keystore

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// minSecret is the least that an HMAC key may hold, in bytes.
const minSecret = 16

// RSA moduli outside these bounds are refused, in bits: weak below, a burden above.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// SigningKeyError says why something is no signing key. It never repeats the text of a key.
type SigningKeyError struct{ Message, Remedy string }

// Error prints message; remedy.
func (e *SigningKeyError) Error() string { return e.Message + "; " + e.Remedy }

func keyError(remedy, format string, args ...any) error {
	return &SigningKeyError{Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

// NewSecretKey makes a signing key of an HMAC secret of at least 16 bytes. With an algorithm, nothing else verifies
// with it. It refuses a secret that is really a public key, which everybody knows.
func NewSecretKey(id string, secret authz.Secret, algorithm string) (*SigningKey, error) {
	text := secret.Reveal()
	if isKeyText(text) {
		return nil, keyError("put a public key under publicKey", "the secret is the text of an asymmetric key")
	}
	if len(text) < minSecret {
		return nil, keyError("make one with: openssl rand -base64 32", "the secret has %d bytes, fewer than %d", len(text), minSecret)
	}
	return newSigningKey(&SigningKey{ID: id, Secret: secret}, algorithm)
}

// NewPublicKey makes a signing key of a public key's text; see [ParsePublicKey]. With an algorithm, nothing else
// verifies with it.
func NewPublicKey(id, text, algorithm string) (*SigningKey, error) {
	public, err := ParsePublicKey(text)
	if err != nil {
		return nil, err
	}
	return newSigningKey(&SigningKey{ID: id, PublicKey: public}, algorithm)
}

func newSigningKey(k *SigningKey, algorithm string) (*SigningKey, error) {
	if algorithm != "" && !k.fits(algorithm) {
		return nil, keyError("name one that fits, or none", "algorithm %q does not verify with %s", algorithm, k.kind())
	}
	k.Algorithm = algorithm
	return k, nil
}

// fits reports whether the algorithm, by its name in AuthScheme, verifies with the key.
func (k *SigningKey) fits(algorithm string) bool {
	switch public := k.PublicKey.(type) {
	case nil:
		return strings.HasPrefix(algorithm, "hmac-")
	case ed25519.PublicKey:
		return algorithm == "ed25519"
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "rsa-")
	case *ecdsa.PublicKey:
		return public.Curve == elliptic.P256() && (algorithm == "ecdsa-p256-sha256" || algorithm == "ecdsa-sha256") ||
			public.Curve == elliptic.P384() && algorithm == "ecdsa-p384-sha384"
	default:
		return false
	}
}

// kind names what the key is, for messages.
func (k *SigningKey) kind() string {
	switch public := k.PublicKey.(type) {
	case nil:
		return "a secret"
	case ed25519.PublicKey:
		return "an Ed25519 key"
	case *rsa.PublicKey:
		return "an RSA key"
	case *ecdsa.PublicKey:
		return "a " + public.Curve.Params().Name + " key"
	default:
		return fmt.Sprintf("a %T", public)
	}
}

// size is about what the key takes in memory, in bytes.
func (k *SigningKey) size() int {
	const fixed, public = 100, 800 // numbers of an RSA or elliptic curve key with what Go precomputes
	if k.PublicKey != nil {
		return fixed + public + len(k.ID)
	}
	return fixed + len(k.ID) + len(k.Secret)
}

// isKeyText reports whether text is the text of an asymmetric key rather than a secret.
func isKeyText(text string) bool {
	bare := strings.TrimSpace(text)
	if strings.Contains(text, "-----BEGIN ") || strings.HasPrefix(bare, webhookPublic) || strings.HasPrefix(bare, webhookPrivate) {
		return true
	}
	members, err := jsonObject([]byte(text))
	return err == nil && members["kty"] != nil
}

const publicKeyRemedy = "give one PEM block (PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE) or a JWK of kty OKP, EC or RSA"

// Standard Webhooks marks the base64 of its Ed25519 keys with these.
const (
	webhookPublic  = "whpk_"
	webhookPrivate = "whsk_"
)

// ParsePublicKey reads a public key from PEM (PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE), from a JWK (RFC 7517) or from
// the whpk_ text of Standard Webhooks: an ed25519.PublicKey, an *ecdsa.PublicKey on P-256 or P-384, or an *rsa.PublicKey
// of 2048 to 8192 bits. Of a certificate only the key counts. Private keys are refused. Errors are *SigningKeyError.
func ParsePublicKey(text string) (any, error) {
	text = strings.TrimSpace(text)
	var public any
	var err error
	switch {
	case strings.HasPrefix(text, "{"):
		public, err = parseJWK([]byte(text))
	case strings.HasPrefix(text, webhookPublic):
		public, err = parseWebhookKey(strings.TrimPrefix(text, webhookPublic))
	case strings.HasPrefix(text, webhookPrivate):
		err = errPrivateKey
	default:
		public, err = parsePEM([]byte(text))
	}
	if err == nil {
		err = checkPublicKey(public)
	}
	if err != nil {
		return nil, err
	}
	return public, nil
}

// parseWebhookKey reads an Ed25519 key in base64, whose padding may be missing.
func parseWebhookKey(text string) (any, error) {
	key, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, keyError("check that the key was copied whole", "what follows %s is not %d bytes in base64", webhookPublic, ed25519.PublicKeySize)
	}
	return ed25519.PublicKey(key), nil
}

func parsePEM(text []byte) (any, error) {
	block, rest := pem.Decode(text)
	if block == nil || !strings.HasPrefix(string(text), "-----BEGIN ") {
		return nil, keyError(publicKeyRemedy, "the public key is neither PEM nor JSON")
	}
	if len(strings.TrimSpace(string(rest))) > 0 {
		return nil, keyError("give one key a credential", "something stands after the first PEM block")
	}
	var public any
	var err error
	switch {
	case block.Type == "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = certificate.PublicKey
		}
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, errPrivateKey
	default:
		return nil, keyError(publicKeyRemedy, "a PEM block %q is no public key", block.Type)
	}
	if err != nil {
		return nil, keyError(publicKeyRemedy, "the PEM block %q cannot be read: %v", block.Type, err)
	}
	return public, nil
}

var errPrivateKey = keyError("give its public half, and replace the pair: the private key has been written down", "this is a private key")

// checkPublicKey refuses kinds and sizes that no algorithm of ours verifies with.
func checkPublicKey(public any) error {
	switch key := public.(type) {
	case ed25519.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() {
			return nil
		}
		return keyError("use P-256 or P-384", "the key is on the curve %s", key.Curve.Params().Name)
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < minRSABits || n > maxRSABits {
			return keyError("use 2048 to 8192", "the RSA key has %d bits", n)
		}
		if key.E < 3 || key.E%2 == 0 || key.N.Bit(0) == 0 {
			return keyError("make a new one", "the RSA key's numbers are not those of one")
		}
		return nil
	default:
		return keyError("use Ed25519, ECDSA or RSA", "keys of type %T are not supported", public)
	}
}
