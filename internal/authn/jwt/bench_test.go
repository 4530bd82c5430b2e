package jwt

import (
	"testing"

	"github.com/postern-auth/postern/internal/authz"
)

// BenchmarkVerify compares a token first seen with the bare check of its signature, and one seen before.
func BenchmarkVerify(b *testing.B) {
	k := keys()
	for _, by := range []*signer{k.es256, k.rsa, k.ed} {
		jwks := set(by.jwk())
		token := by.token(by.header(), claims(object{
			"scope": "orders:read orders:write", "client_id": "mobile", "jti": "a3b1c9d0-5d0c-4a0f-9c2e-0d6f1b7a4e11",
			"email": "alice@example.com", "groups": []string{"staff", "admins"},
		}))
		r := request(token)
		credential := authz.Credential{Value: authz.Secret(token)}

		b.Run(by.alg+"/bare", func(b *testing.B) {
			t, err := parse(token)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !algorithms[by.alg].verify(by.private.Public(), t.signed, t.signature) {
					b.Fatal("refused")
				}
			}
		})
		for name, tokens := range map[string]*Tokens{"first": nil, "seen": newTokens(b)} {
			b.Run(by.alg+"/"+name, func(b *testing.B) {
				s := compile(b, spec(jwks), Options{Tokens: tokens})
				if _, err := s.Verify(b.Context(), r, credential); err != nil {
					b.Fatal(err)
				}
				if tokens != nil {
					tokens.facts.Wait()
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Verify(b.Context(), r, credential); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkRefuse is the cost of bad tokens.
func BenchmarkRefuse(b *testing.B) {
	k := keys()
	s := compile(b, spec(set(k.es256.jwk())), Options{Tokens: newTokens(b)})
	for name, token := range map[string]string{
		"garbage": "x.y.z",
		"expired": k.es256.token(k.es256.header(), claims(object{"exp": 1})),
		"forged":  k.other256.token(k.es256.header(), claims(nil)),
	} {
		b.Run(name, func(b *testing.B) {
			r, c := request(""), authz.Credential{Value: authz.Secret(token)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Verify(b.Context(), r, c); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}
