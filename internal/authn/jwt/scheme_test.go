package jwt

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// allAlgorithms lets an issuer sign with anything that is not a secret.
func allAlgorithms(s *v1alpha1.JWTScheme) {
	s.Issuers[0].Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"}
}

func TestEveryAlgorithm(t *testing.T) {
	k := keys()
	s := compile(t, spec(set(k.rsa.jwk(), k.es256.jwk(), k.es384.jwk(), k.es512.jwk(), k.ed.jwk()), allAlgorithms), Options{})
	for _, c := range []struct {
		alg string
		by  *signer
	}{
		{"RS256", k.rsa}, {"RS384", k.rsa}, {"RS512", k.rsa}, {"PS256", k.rsa}, {"PS384", k.rsa}, {"PS512", k.rsa},
		{"ES256", k.es256}, {"ES384", k.es384}, {"ES512", k.es512}, {"EdDSA", k.ed}, {"Ed25519", k.ed},
	} {
		t.Run(c.alg, func(t *testing.T) {
			by := *c.by
			by.alg = c.alg
			token := by.token(by.header(), claims(nil))
			p, err := authenticate(t, s, request(token))
			wantAccepted(t, p, err)

			forged := segments(token, 1, func(string) string { return b64([]byte(toJSON(claims(object{"sub": "mallory"})))) })
			_, err = authenticate(t, s, request(forged))
			wantRefused(t, err, authz.ReasonBadSignature, "the signature is not the key's")
		})
	}
}

// TestAccepted holds what looks odd and is good.
func TestAccepted(t *testing.T) {
	es := keys().es256
	single := compile(t, spec(set(es.jwk())), Options{})
	for name, token := range map[string]string{
		"no kid, single key": es.token(object{"alg": "ES256"}, claims(nil)),
		"no typ":             es.token(object{"alg": "ES256", "kid": "es256"}, claims(nil)),
		"at+jwt":             es.token(object{"alg": "ES256", "kid": "es256", "typ": "application/AT+JWT"}, claims(nil)),
		"keys in the header": es.token(object{"alg": "ES256", "kid": "es256", "jku": "http://169.254.169.254/", "jwk": object{}, "x5c": []string{"AA"}}, claims(nil)),
		"list of audiences":  es.token(es.header(), claims(object{"aud": []string{"billing", "orders"}})),
		"fractional times":   es.token(es.header(), claims(object{"exp": float64(now.Unix()) + 0.5, "nbf": float64(now.Unix()) - 0.5})),
		"within leeway":      es.token(es.header(), claims(object{"exp": now.Unix() - 29, "iat": now.Unix() + 30})),
		"no iat":             es.token(es.header(), claims(object{"iat": nil})),
		"other claims":       es.token(es.header(), claims(object{"Role": "a", "role": "b"})),
	} {
		t.Run(name, func(t *testing.T) {
			p, err := authenticate(t, single, request(token))
			wantAccepted(t, p, err)
		})
	}
}

func TestPrincipal(t *testing.T) {
	es := keys().es256
	s := compile(t, spec(set(es.jwk()), func(s *v1alpha1.JWTScheme) {
		s.Claims = v1alpha1.ClaimNames{
			Subject: "user.id", Client: "https://example.com/client", Scopes: []string{"realm.roles", "scp", "scope"},
		}
		s.Require = []string{"user.org"}
		s.Types = []string{"Application/Thing+JWT"}
	}), Options{})
	token := func(c object) string {
		return es.token(object{"alg": "ES256", "kid": "es256", "typ": "thing+jwt"}, claims(c))
	}
	p, err := authenticate(t, s, request(token(object{
		"user":                       object{"id": "u1", "org": "acme"},
		"https://example.com/client": "mobile",
		"scp":                        []string{"orders:write", "orders:read", "orders:read"},
		"scope":                      "admin",
		"level":                      3,
		"big":                        int64(9007199254740993),
	})))
	if err != nil {
		t.Fatal(err)
	}
	if p.Subject != "u1" || p.App != "mobile" || p.KeyID != "" || p.Scopes.String() != "orders:read orders:write" {
		t.Errorf("got %+v", p)
	}
	if p.Claims["level"] != int64(3) || p.Claims["big"] != int64(9007199254740993) || p.Claims["sub"] != "alice" {
		t.Errorf("claims %v", p.Claims)
	}

	// A claim whose own name has dots comes first.
	p, err = authenticate(t, s, request(token(object{
		"user.id": "literal", "user": object{"id": "u1", "org": "acme"}, "scope": "b  a",
	})))
	if err != nil || p.Subject != "literal" || p.App != "" || p.Scopes.String() != "a b" {
		t.Errorf("got %+v, %v", p, err)
	}

	_, err = authenticate(t, s, request(token(object{"user": "u1"})))
	wantRefused(t, err, authz.ReasonClaimRefused, "the token has no claim user.org")
	_, err = authenticate(t, s, request(token(object{"user": object{"id": []string{"x"}, "org": "acme"}})))
	wantRefused(t, err, authz.ReasonClaimRefused, "the claim of the subject")
	_, err = authenticate(t, s, request(es.token(es.header(), claims(nil))))
	wantRefused(t, err, authz.ReasonClaimRefused, "typ")
}

// TestIssuers: a token's issuer picks the keys, the algorithms and the audiences; none count for another issuer.
func TestIssuers(t *testing.T) {
	k := keys()
	s := compile(t, spec(set(k.es256.jwk()), func(s *v1alpha1.JWTScheme) {
		s.Issuers = append(s.Issuers, v1alpha1.JWTIssuer{
			Issuer: "https://other.example", Audiences: []string{"billing"}, Algorithms: []string{"ES384"},
			JWKS: &v1alpha1.JWKSSource{Inline: set(k.es384.jwk())},
		})
	}), Options{})
	other := object{"iss": "https://other.example", "aud": "billing"}

	p, err := authenticate(t, s, request(k.es384.token(k.es384.header(), claims(other))))
	wantAccepted(t, p, err)
	_, err = authenticate(t, s, request(k.es256.token(k.es256.header(), claims(other))))
	wantRefused(t, err, authz.ReasonAlgorithmRefused, "")
	_, err = authenticate(t, s, request(k.es384.token(k.es384.header(), claims(nil))))
	wantRefused(t, err, authz.ReasonAlgorithmRefused, "")
	_, err = authenticate(t, s, request(k.es384.token(k.es384.header(), claims(object{"iss": "https://other.example"}))))
	wantRefused(t, err, authz.ReasonAudienceRefused, "")
}

func TestSecret(t *testing.T) {
	secret := strings.Repeat("s", 31) + "!"
	files := func(content string) Options {
		return Options{ReadFile: func(path string) ([]byte, error) {
			if path != "login.secret" {
				return nil, errors.New("no such file")
			}
			return []byte(content), nil
		}}
	}
	withSecret := func(s *v1alpha1.JWTScheme) {
		s.Issuers[0].JWKS = nil
		s.Issuers[0].Secret = &v1alpha1.SecretSource{File: "login.secret"}
	}
	hs := &signer{id: "any", alg: "HS256", secret: []byte(secret)}

	s := compile(t, spec("", withSecret), files(secret+"\n"))
	p, err := authenticate(t, s, request(hs.token(hs.header(), claims(nil))))
	wantAccepted(t, p, err)
	p, err = authenticate(t, s, request(hs.token(object{"alg": "HS256"}, claims(nil))))
	wantAccepted(t, p, err)
	_, err = authenticate(t, s, request((&signer{alg: "HS256", secret: []byte("wrong")}).token(hs.header(), claims(nil))))
	wantRefused(t, err, authz.ReasonBadSignature, "")
	es := keys().es256
	_, err = authenticate(t, s, request(es.token(es.header(), claims(nil))))
	wantRefused(t, err, authz.ReasonAlgorithmRefused, "")

	s = compile(t, spec("", withSecret, func(s *v1alpha1.JWTScheme) {
		s.Issuers[0].Secret.Encoding = v1alpha1.SecretBase64
	}), files(base64.StdEncoding.EncodeToString([]byte(secret))+"\n"))
	p, err = authenticate(t, s, request(hs.token(hs.header(), claims(nil))))
	wantAccepted(t, p, err)
}

// TestMixedAlgorithms: even where validation was passed by, a public key is never a secret, nor a secret a public key.
func TestMixedAlgorithms(t *testing.T) {
	k := keys()
	s := compile(t, spec(set(k.rsa.jwk()), func(s *v1alpha1.JWTScheme) {
		s.Issuers[0].Algorithms = []string{"RS256", "HS256"}
	}), Options{})
	hs := &signer{id: "rsa", alg: "HS256", secret: []byte(set(k.rsa.jwk()))}
	_, err := authenticate(t, s, request(hs.token(hs.header(), claims(nil))))
	wantRefused(t, err, authz.ReasonAlgorithmRefused, "does not fit the key")
}

func TestNewErrors(t *testing.T) {
	k := keys()
	short := object{"kty": "RSA", "kid": "short", "e": "AQAB", "n": b64([]byte(strings.Repeat("\xff", 128)))}
	for name, c := range map[string]struct {
		edit func(*v1alpha1.JWTIssuer)
		want string
	}{
		"no issuer":    {func(i *v1alpha1.JWTIssuer) { i.Issuer = "" }, "AuthScheme shop/login: spec.jwt.issuers[0]: without an issuer and an audience, tokens meant for others would be accepted; name both"},
		"no audience":  {func(i *v1alpha1.JWTIssuer) { i.Audiences = nil }, "spec.jwt.issuers[0]: without an issuer and an audience"},
		"not JSON":     {func(i *v1alpha1.JWTIssuer) { i.JWKS.Inline = "nope" }, `AuthScheme shop/login: spec.jwt.issuers[0].jwks.inline: not one JSON object; give a JWK Set of public keys: {"keys": [...]}`},
		"no set":       {func(i *v1alpha1.JWTIssuer) { i.JWKS.Inline = toJSON(k.es256.jwk()) }, `.jwks.inline: not a JWK Set: it has no array "keys"; give`},
		"empty set":    {func(i *v1alpha1.JWTIssuer) { i.JWKS.Inline = set() }, ".jwks.inline: no key in it can verify a token; give"},
		"symmetric":    {func(i *v1alpha1.JWTIssuer) { i.JWKS.Inline = set(object{"kty": "oct", "k": "AAAA"}) }, ".jwks.inline: keys[0]: a symmetric key: everybody who sees the set could sign with it; give"},
		"short":        {func(i *v1alpha1.JWTIssuer) { i.JWKS.Inline = set(k.es256.jwk(), short) }, "keys[1]: an RSA key of 1024 bits; 2048 to 8192 are accepted; give"},
		"missing file": {func(i *v1alpha1.JWTIssuer) { i.JWKS = &v1alpha1.JWKSSource{File: "gone"} }, ".jwks.file: open gone: no such file; check the path, which is relative to the resource's file"},
		"bad file":     {func(i *v1alpha1.JWTIssuer) { i.JWKS = &v1alpha1.JWKSSource{File: "short"} }, ".jwks.file: not one JSON object; give"},
		"short secret": {func(i *v1alpha1.JWTIssuer) {
			i.JWKS, i.Secret, i.Algorithms = nil, &v1alpha1.SecretSource{File: "short"}, []string{"HS256"}
		}, ".secret.file: the secret has 5 bytes and HS256 needs 32; use at least as many random bytes"},
		"short for HS512": {func(i *v1alpha1.JWTIssuer) {
			i.JWKS, i.Secret, i.Algorithms = nil, &v1alpha1.SecretSource{File: "32"}, []string{"HS256", "HS512"}
		}, "the secret has 32 bytes and HS512 needs 64"},
		"public key": {func(i *v1alpha1.JWTIssuer) {
			i.JWKS, i.Secret, i.Algorithms = nil, &v1alpha1.SecretSource{File: "pem"}, []string{"HS256"}
		}, ".secret.file: the secret is a key or a certificate in PEM or JWK form; put a public key under jwks"},
		"public keys": {func(i *v1alpha1.JWTIssuer) {
			i.JWKS, i.Secret, i.Algorithms = nil, &v1alpha1.SecretSource{File: "jwks"}, []string{"HS256"}
		}, ".secret.file: the secret is a key or a certificate in PEM or JWK form"},
		"no base64": {func(i *v1alpha1.JWTIssuer) {
			i.JWKS, i.Secret, i.Algorithms = nil, &v1alpha1.SecretSource{File: "dots", Encoding: v1alpha1.SecretBase64}, []string{"HS256"}
		}, ".secret.file: the secret is not base64; write it in standard base64, or set encoding to Text"},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(set(k.es256.jwk()))
			c.edit(&s.Issuers[0])
			read := func(path string) ([]byte, error) {
				switch path {
				case "short":
					return []byte("short"), nil
				case "32":
					return []byte(strings.Repeat("s", 32)), nil
				case "dots":
					return []byte("..."), nil
				case "pem":
					return []byte("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"), nil
				case "jwks":
					return []byte(set(k.es256.jwk())), nil
				}
				return nil, errors.New("open gone: no such file")
			}
			_, err := New(s, Options{Name: "shop/login", ReadFile: read})
			var e *v1alpha1.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	_, err := New(spec("", func(s *v1alpha1.JWTScheme) { s.Issuers[0].JWKS = &v1alpha1.JWKSSource{File: "x"} }), Options{Name: "shop/login"})
	if err == nil || !strings.Contains(err.Error(), "files cannot be read here") {
		t.Errorf("got %v", err)
	}
}

func TestExtractAndChallenge(t *testing.T) {
	s := compile(t, spec(set(keys().es256.jwk()), func(s *v1alpha1.JWTScheme) {
		s.In = []v1alpha1.Location{{Header: "Authorization", Prefix: "Bearer "}, {Cookie: "session"}, {Query: "access_token"}}
	}), Options{})
	for name, c := range map[string]struct {
		request authz.Request
		want    string
		reason  authz.Reason
	}{
		"header":   {request: authz.Request{Headers: []authz.Header{{Name: "authorization", Value: "bearer a.b.c"}}}, want: "a.b.c"},
		"cookie":   {request: authz.Request{Headers: []authz.Header{{Name: "cookie", Value: "x=1; session=a.b.c"}}}, want: "a.b.c"},
		"query":    {request: authz.Request{Query: "access_token=a.b.c"}, want: "a.b.c"},
		"nothing":  {request: authz.Request{Headers: []authz.Header{{Name: "authorization", Value: "Basic x"}}}, reason: authz.ReasonNoCredential},
		"empty":    {request: authz.Request{Headers: []authz.Header{{Name: "authorization", Value: "Bearer "}}}, reason: authz.ReasonMalformedCredential},
		"two":      {request: authz.Request{Query: "access_token=a", Headers: []authz.Header{{Name: "cookie", Value: "session=b"}}}, reason: authz.ReasonAmbiguousCredential},
		"repeated": {request: authz.Request{Headers: []authz.Header{{Name: "authorization", Value: "Bearer a, Bearer b"}}}, reason: authz.ReasonAmbiguousCredential},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Extract(&c.request)
			if got.Value.Reveal() != c.want || (err == nil) != (c.want != "") {
				t.Fatalf("got %q, %v", got.Value.Reveal(), err)
			}
			if err != nil && authz.ReasonOf(err) != c.reason {
				t.Errorf("got %v, want %v", err, c.reason)
			}
		})
	}
	if got, want := s.Challenge("shop").String(), `Bearer realm="shop"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRequestMemory: nothing of a principal lives in the request's buffer, which is used again.
func TestRequestMemory(t *testing.T) {
	es := keys().es256
	s := compile(t, spec(set(es.jwk())), Options{Tokens: newTokens(t)})
	token := es.token(es.header(), claims(object{"scope": "a b", "client_id": "mobile"}))
	want, err := authenticate(t, s, request(token))
	if err != nil {
		t.Fatal(err)
	}
	buffer := []byte(token)
	p, err := s.Verify(t.Context(), request(""), authz.Credential{Value: authz.Secret(unsafe.String(&buffer[0], len(buffer)))})
	if err != nil {
		t.Fatal(err)
	}
	clear(buffer)
	if diff := cmp.Diff(want.Claims, p.Claims); diff != "" || p.Subject != want.Subject || p.Scopes.String() != "a b" || p.App != "mobile" {
		t.Errorf("got %+v %s", p, diff)
	}
}

func TestLeeway(t *testing.T) {
	es := keys().es256
	s := compile(t, spec(set(es.jwk()), func(s *v1alpha1.JWTScheme) {
		s.Leeway = &metav1.Duration{Duration: 0}
	}), Options{})
	r := request(es.token(es.header(), claims(object{"exp": now.Unix() + 10, "nbf": now.Unix() + 5})))
	for offset, want := range map[time.Duration]authz.Reason{
		5*time.Second - 1:  authz.ReasonTokenNotYetValid,
		5 * time.Second:    authz.ReasonUndecided,
		10*time.Second - 1: authz.ReasonUndecided,
		10 * time.Second:   authz.ReasonTokenExpired,
	} {
		r.Now = now.Add(offset)
		if _, err := authenticate(t, s, r); err != nil && authz.ReasonOf(err) != want || err == nil && want != authz.ReasonUndecided {
			t.Errorf("after %v: %v, want %v", offset, err, want)
		}
	}
}

func TestNoTime(t *testing.T) {
	es := keys().es256
	s := compile(t, spec(set(es.jwk())), Options{})
	r := request(es.token(es.header(), claims(object{"iat": nil})))
	r.Now = time.Time{}
	if _, err := authenticate(t, s, r); authz.ReasonOf(err) != authz.ReasonInternal {
		t.Errorf("%v; want a request without a time refused", err)
	}
}

func TestIdentity(t *testing.T) {
	seen := map[string]string{}
	for name, s := range map[string]*v1alpha1.JWTScheme{
		"a/b": spec("x"), "a/c": spec("x"), "other keys": spec("y"),
		"other audience": spec("x", func(s *v1alpha1.JWTScheme) { s.Issuers[0].Audiences = []string{"z"} }),
	} {
		id := identity(name, s)
		if seen[id] != "" || id != identity(name, s) {
			t.Errorf("%s and %s have one identity", name, seen[id])
		}
		seen[id] = name
	}
}
