package jwt

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/cache"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// swappable is a source whose set a test changes.
type swappable struct{ set atomic.Pointer[keySet] }

func (s *swappable) current(time.Time) *keySet { return s.set.Load() }

func (s *swappable) fresher(context.Context, time.Time, *keySet) (*keySet, error) {
	if set := s.set.Load(); set != nil {
		return set, nil
	}
	return nil, errNoKeys
}

func (s *swappable) put(t interface{ Fatal(...any) }, jwks string) {
	set, _, err := parseKeySet([]byte(jwks))
	if err != nil {
		t.Fatal(err)
	}
	s.set.Store(set)
}

func TestTokensRemember(t *testing.T) {
	k := keys()
	tokens := newTokens(t)
	s := compile(t, spec(set(k.es256.jwk())), Options{Tokens: tokens})
	good := request(k.es256.token(k.es256.header(), claims(nil)))
	first, err := authenticate(t, s, good)
	wantAccepted(t, first, err)
	tokens.facts.Wait()
	second, err := authenticate(t, s, good)
	if err != nil || second != first {
		t.Errorf("verified twice: %v, %v", second, err)
	}
	if st := tokens.Stats(); st.Hits != 1 || st.Misses != 1 || st.Bytes < 512 {
		t.Errorf("%+v", st)
	}

	before := tokens.Stats().Bytes
	for _, token := range []string{
		"x", k.other256.token(k.es256.header(), claims(nil)), k.es256.token(k.es256.header(), claims(object{"exp": 1})),
		k.es256.token(k.es256.header(), claims(object{"aud": "x"})),
	} {
		if _, err := authenticate(t, s, request(token)); err == nil {
			t.Fatalf("accepted %s", token)
		}
	}
	tokens.facts.Wait()
	if after := tokens.Stats().Bytes; after != before {
		t.Errorf("refused tokens take %d bytes", after-before)
	}
}

// TestTokensApart: what one scheme verified counts for no other, nor for the same scheme with another specification;
// it does count for the same one compiled again.
func TestTokensApart(t *testing.T) {
	es := keys().es256
	tokens := newTokens(t)
	jwks := set(es.jwk())
	r := request(es.token(es.header(), claims(nil)))
	first, err := authenticate(t, compile(t, spec(jwks), Options{Name: "shop/login", Tokens: tokens}), r)
	wantAccepted(t, first, err)
	tokens.facts.Wait()

	same, err := authenticate(t, compile(t, spec(jwks), Options{Name: "shop/login", Tokens: tokens}), r)
	if err != nil || same != first {
		t.Errorf("a reload that changed nothing forgot the token: %v", err)
	}
	other, err := authenticate(t, compile(t, spec(jwks), Options{Name: "bank/login", Tokens: tokens}), r)
	if err != nil || other == first {
		t.Errorf("another namespace shares the token: %v", err)
	}
	_, err = authenticate(t, compile(t, spec(jwks, func(s *v1alpha1.JWTScheme) {
		s.Issuers[0].Audiences = []string{"billing"}
	}), Options{Name: "shop/login", Tokens: tokens}), r)
	wantRefused(t, err, authz.ReasonAudienceRefused, "")
	_, err = authenticate(t, compile(t, spec(set(keys().other256.jwk())), Options{Name: "shop/login", Tokens: tokens}), r)
	wantRefused(t, err, authz.ReasonUnknownKey, "")
}

// TestTokensFileChanged: a file of keys or a secret that changed ends what was verified with the old one, although the
// specification is the same.
func TestTokensFileChanged(t *testing.T) {
	es := keys().es256
	hs := &signer{alg: "HS256", secret: []byte(strings.Repeat("a", 32))}
	for name, c := range map[string]struct {
		edit     func(*v1alpha1.JWTIssuer)
		old, new string
		token    string
		want     authz.Reason
	}{
		"keys": {
			func(i *v1alpha1.JWTIssuer) { i.JWKS = &v1alpha1.JWKSSource{File: "x"} },
			set(es.jwk()), set(keys().other256.jwk()), es.token(es.header(), claims(nil)), authz.ReasonUnknownKey,
		},
		"secret": {
			func(i *v1alpha1.JWTIssuer) { i.JWKS, i.Secret = nil, &v1alpha1.SecretSource{File: "x"} },
			string(hs.secret), strings.Repeat("b", 32), hs.token(hs.header(), claims(nil)), authz.ReasonBadSignature,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tokens := newTokens(t)
			present := func(content string) error {
				s := compile(t, spec("", func(s *v1alpha1.JWTScheme) { c.edit(&s.Issuers[0]) }), Options{
					Tokens: tokens, ReadFile: func(string) ([]byte, error) { return []byte(content), nil },
				})
				_, err := authenticate(t, s, request(c.token))
				tokens.facts.Wait()
				return err
			}
			wantReason(t, present(c.old), accepted)
			wantReason(t, present(c.old), accepted)
			if tokens.Stats().Hits != 1 {
				t.Error("an unchanged file forgot the token")
			}
			wantReason(t, present(c.new), c.want)
		})
	}
}

// TestTokensProperty: with and without a memory, a scheme gives the same answers, whatever happens to the clock and
// to the issuer's keys in between.
func TestTokensProperty(t *testing.T) {
	k := keys()
	tokens := newTokens(t)
	jwk := []object{k.es256.jwk(), k.other256.jwk()}
	rapid.Check(t, func(rt *rapid.T) {
		var from swappable
		from.put(rt, set(jwk...))
		withMemory := compile(t, spec(set(jwk...)), Options{Tokens: tokens})
		without := compile(t, spec(set(jwk...)), Options{})
		withMemory.issuers[0].keys, without.issuers[0].keys = &from, &from

		start := int64(rapid.IntRange(-100, 100).Draw(rt, "nbf"))
		end := start + int64(rapid.IntRange(0, 200).Draw(rt, "exp"))
		c := claims(object{"nbf": now.Unix() + start, "exp": now.Unix() + end, "iat": nil})
		presented := []string{k.es256.token(k.es256.header(), c), k.other256.token(k.other256.header(), c)}
		rt.Repeat(map[string]func(*rapid.T){
			"rotate": func(rt *rapid.T) {
				var kept []object
				for _, j := range jwk {
					if rapid.Bool().Draw(rt, "kept") {
						kept = append(kept, j)
					}
				}
				from.put(rt, set(kept...))
			},
			"outage": func(*rapid.T) { from.set.Store(nil) },
			"check": func(rt *rapid.T) {
				r := request(rapid.SampledFrom(presented).Draw(rt, "token"))
				r.Now = now.Add(time.Duration(rapid.IntRange(-200, 400).Draw(rt, "now")) * time.Second)
				got, err := authenticate(t, withMemory, r)
				want, wantErr := authenticate(t, without, r)
				if authz.ReasonOf(orOK(err)) != authz.ReasonOf(orOK(wantErr)) || (got == nil) != (want == nil) {
					rt.Fatalf("got %v, want %v", err, wantErr)
				}
				tokens.facts.Wait()
			},
		})
	})
	if st := tokens.Stats(); st.Hits == 0 {
		t.Errorf("memory was never used: %+v", st)
	}
}

// orOK stands a failure of no reason in for success.
func orOK(err error) error {
	if err == nil {
		return &authz.Failure{}
	}
	return err
}

// TestTokensOff: no memory and a memory of no bytes are fine.
func TestTokensOff(t *testing.T) {
	es := keys().es256
	none := NewTokens(0)
	t.Cleanup(none.Close)
	for _, tokens := range []*Tokens{nil, none, {cache.New[*facts](0)}} {
		s := compile(t, spec(set(es.jwk())), Options{Tokens: tokens})
		p, err := authenticate(t, s, request(es.token(es.header(), claims(nil))))
		wantAccepted(t, p, err)
	}
}
