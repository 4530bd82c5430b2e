package jwt

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	issuerName = "https://login.example.com"
	audience   = "orders"
)

// now is when all tests take place that need no clock of their own.
var now = time.Now().Truncate(time.Second)

type object = map[string]any

// signer is a private key of an issuer.
type signer struct {
	id      string
	alg     string
	private crypto.Signer
	secret  []byte
}

var keys = sync.OnceValue(func() (k struct {
	rsa, rsaPSS, es256, other256, es384, es512, ed *signer
},
) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	ec := func(c elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	k.rsa = &signer{id: "rsa", alg: "RS256", private: rsaKey}
	k.rsaPSS = &signer{id: "rsa", alg: "PS256", private: rsaKey}
	k.es256 = &signer{id: "es256", alg: "ES256", private: ec(elliptic.P256())}
	k.other256 = &signer{id: "other256", alg: "ES256", private: ec(elliptic.P256())}
	k.es384 = &signer{id: "es384", alg: "ES384", private: ec(elliptic.P384())}
	k.es512 = &signer{id: "es512", alg: "ES512", private: ec(elliptic.P521())}
	k.ed = &signer{id: "ed", alg: "EdDSA", private: edKey}
	return k
})

// sign signs text as the algorithm of the signer says.
func (s *signer) sign(text []byte) []byte {
	a := algorithms[s.alg]
	var signature []byte
	var err error
	switch a.family {
	case hmacSHA2:
		mac := hmac.New(a.hash.New, s.secret)
		mac.Write(text)
		return mac.Sum(nil)
	case edwards:
		signature, err = s.private.Sign(nil, text, crypto.Hash(0))
	case rsaPSS:
		signature, err = s.private.Sign(rand.Reader, a.digest(text), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash})
	case rsaPKCS1:
		signature, err = s.private.Sign(rand.Reader, a.digest(text), a.hash)
	case ecdsaRaw:
		var r, v *big.Int
		r, v, err = ecdsa.Sign(rand.Reader, s.private.(*ecdsa.PrivateKey), a.digest(text))
		if err == nil {
			size := (a.curve.Params().BitSize + 7) / 8
			signature = append(r.FillBytes(make([]byte, size)), v.FillBytes(make([]byte, size))...)
		}
	}
	if err != nil {
		panic(err)
	}
	return signature
}

// jwk is the public key as a JWK.
func (s *signer) jwk() object {
	k := object{"kid": s.id, "use": "sig"}
	switch public := s.private.Public().(type) {
	case *rsa.PublicKey:
		k["kty"], k["n"], k["e"] = "RSA", b64(public.N.Bytes()), "AQAB"
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4, x, y
		if err != nil {
			panic(err)
		}
		size := len(point) / 2
		k["kty"], k["crv"] = "EC", public.Curve.Params().Name
		k["x"], k["y"] = b64(point[1:1+size]), b64(point[1+size:])
	case ed25519.PublicKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", b64(public)
	}
	return k
}

func (s *signer) header() object { return object{"alg": s.alg, "kid": s.id, "typ": "JWT"} }

// token makes a token of header and claims.
func (s *signer) token(header, claims object) string {
	return s.compact(toJSON(header), toJSON(claims))
}

// compact makes a token of the texts of header and claims.
func (s *signer) compact(header, claims string) string {
	signed := b64([]byte(header)) + "." + b64([]byte(claims))
	return signed + "." + b64(s.sign([]byte(signed)))
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func toJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// set is the JWK Set of the keys.
func set(keys ...object) string {
	if keys == nil {
		keys = []object{}
	}
	return toJSON(object{"keys": keys})
}

// claims are good ones, with some replaced, or left out where nil.
func claims(replaced object) object {
	c := object{"iss": issuerName, "sub": "alice", "aud": audience, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix()}
	maps.Copy(c, replaced)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// spec is a scheme with one issuer whose keys are inline, changed by edit.
func spec(jwks string, edit ...func(*v1alpha1.JWTScheme)) *v1alpha1.JWTScheme {
	s := &v1alpha1.JWTScheme{Issuers: []v1alpha1.JWTIssuer{{
		Issuer: issuerName, Audiences: []string{audience}, JWKS: &v1alpha1.JWKSSource{Inline: jwks},
	}}}
	for _, f := range edit {
		f(s)
	}
	return s
}

func compile(t testing.TB, s *v1alpha1.JWTScheme, opts Options) *Scheme {
	t.Helper()
	if opts.Name == "" {
		opts.Name = "shop/login"
	}
	object := v1alpha1.AuthScheme{Spec: v1alpha1.AuthSchemeSpec{JWT: s}}
	object.SetDefaults()
	a, err := New(s, opts)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return a.(*Scheme)
}

func request(token string) *authz.Request {
	return &authz.Request{Headers: []authz.Header{{Name: "authorization", Value: "Bearer " + token}}, Now: now}
}

// authenticate extracts and verifies, as the policy engine does.
func authenticate(t testing.TB, s *Scheme, r *authz.Request) (*authz.Principal, error) {
	t.Helper()
	c, err := s.Extract(r)
	if err != nil {
		return nil, err
	}
	p, err := s.Verify(context.Background(), r, c)
	if (p == nil) == (err == nil) {
		t.Fatalf("a principal %v and an error %v", p, err)
	}
	return p, err
}

// wantRefused checks the reason and the text of a refusal.
func wantRefused(t testing.TB, err error, reason authz.Reason, text string) {
	t.Helper()
	var f *authz.Failure
	if !errors.As(err, &f) || f.Reason != reason || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, want %s: …%s…", err, reason, text)
	}
}

func wantAccepted(t testing.TB, p *authz.Principal, err error) {
	t.Helper()
	if err != nil || p.Subject != "alice" {
		t.Errorf("got %v, %v, want alice", p, err)
	}
}

// thumbprint is the x5t#S256 of a certificate.
func thumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return b64(sum[:])
}

// segments replaces one segment of a token.
func segments(token string, i int, replace func(string) string) string {
	parts := strings.Split(token, ".")
	parts[i] = replace(parts[i])
	return strings.Join(parts, ".")
}

func nested(depth int) string {
	return fmt.Sprintf("%s1%s", strings.Repeat(`[`, depth), strings.Repeat(`]`, depth))
}

// newTokens makes a cache that the test closes.
func newTokens(t testing.TB) *Tokens {
	t.Helper()
	tokens := NewTokens(1 << 20)
	t.Cleanup(tokens.Close)
	return tokens
}
