package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
)

// Issuer signs tokens as an identity provider would, and whatever else a test wants signed.
type Issuer struct {
	Name     string
	Audience string
	KeyID    string
	key      *ecdsa.PrivateKey
}

// NewIssuer makes an issuer with a fresh P-256 key.
func NewIssuer(name, audience, keyID string) (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Issuer{Name: name, Audience: audience, KeyID: keyID, key: key}, nil
}

// JWKS returns the issuer's key set.
func (i *Issuer) JWKS() string {
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		panic(err) // the key is ours and valid
	}
	return fmt.Sprintf(`{"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": %q, "x": %q, "y": %q}]}`,
		i.KeyID, base64URL(point[1:33]), base64URL(point[33:]))
}

// Token returns a token that is good for an hour. Claims given replace the usual ones; nil removes one.
func (i *Issuer) Token(claims map[string]any) string {
	now := time.Now().Unix()
	all := map[string]any{"iss": i.Name, "aud": i.Audience, "sub": "alice", "iat": now, "exp": now + 3600}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(all)
	if err != nil {
		panic(err) // tests pass plain values
	}
	return i.Sign(fmt.Sprintf(`{"alg":"ES256","typ":"JWT","kid":%q}`, i.KeyID), string(payload))
}

// Sign signs any header and payload with ES256, whatever the header says.
func (i *Issuer) Sign(header, payload string) string {
	input := base64URL([]byte(header)) + "." + base64URL([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		panic(err) // the key is ours and valid
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + base64URL(signature)
}

func base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Unsigned returns a token with alg "none".
func (i *Issuer) Unsigned(claims map[string]any) string {
	parts := strings.Split(i.Token(claims), ".")
	return base64URL([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
}
