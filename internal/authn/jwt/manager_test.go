package jwt

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// provider is an OpenID Connect provider on a loopback port.
type provider struct {
	*httptest.Server
	jwks    atomic.Pointer[string]
	down    atomic.Bool
	fetches atomic.Int64 // of the keys
}

func newProvider(t *testing.T, jwks string) *provider {
	t.Helper()
	p := &provider{}
	p.jwks.Store(&jwks)
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/keys":
			p.fetches.Add(1)
			if p.down.Load() {
				http.Error(w, "down", http.StatusServiceUnavailable)
				return
			}
			_, _ = io.WriteString(w, *p.jwks.Load())
		case "/.well-known/openid-configuration":
			_, _ = io.WriteString(w, toJSON(object{"issuer": p.URL, "jwks_uri": p.URL + "/keys"}))
		default:
			http.NotFound(w, r)
		}
	}))
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func (p *provider) rotate(jwks string) { p.jwks.Store(&jwks) }

func (p *provider) keySets(t *testing.T, log *slog.Logger) *KeySets {
	t.Helper()
	m := NewKeySets(KeySetsOptions{Logger: log, Roots: trusting(p.Server)})
	t.Cleanup(m.Close)
	return m
}

// from has a scheme's keys at an address; with "" they are discovered, and the issuer is the provider.
func (p *provider) from(address string) func(*v1alpha1.JWTScheme) {
	return func(s *v1alpha1.JWTScheme) {
		s.Issuers[0].JWKS = &v1alpha1.JWKSSource{URI: address}
		if address == "" {
			s.Issuers[0].JWKS, s.Issuers[0].Issuer = nil, p.URL
		}
	}
}

func TestKeySets(t *testing.T) {
	es, other := keys().es256, keys().other256
	p := newProvider(t, set(es.jwk()))
	tokens := newTokens(t)
	var lines bytes.Buffer
	m := p.keySets(t, slog.New(slog.NewTextHandler(&lines, nil)))
	byAddress := compile(t, spec("", p.from(p.URL+"/keys")), Options{KeySets: m, Tokens: tokens})
	discovered := compile(t, spec("", p.from("")), Options{KeySets: m, Tokens: tokens})
	ours := claims(object{"iss": p.URL})

	// The first requests wait for the first fetch.
	old := request(es.token(es.header(), claims(nil)))
	principal, err := authenticate(t, byAddress, old)
	wantAccepted(t, principal, err)
	principal, err = authenticate(t, discovered, request(es.token(es.header(), ours)))
	wantAccepted(t, principal, err)
	tokens.facts.Wait()

	// A new key is found when it is first used; the old one is gone with it, for tokens seen before as well.
	p.rotate(set(other.jwk()))
	principal, err = authenticate(t, byAddress, request(other.token(other.header(), claims(nil))))
	wantAccepted(t, principal, err)
	_, err = authenticate(t, byAddress, old)
	wantRefused(t, err, authz.ReasonUnknownKey, "")

	// A reload shares what it names again, and stops what it does not.
	again := compile(t, spec("", p.from(p.URL+"/keys")), Options{Name: "shop/again", KeySets: m})
	m.Retain(again, nil)
	principal, err = authenticate(t, again, request(other.token(other.header(), claims(nil))))
	wantAccepted(t, principal, err)
	var sources []string
	for _, st := range m.Stats() {
		if st.Fetches != 2 || st.Failures != 0 || st.Keys != 1 || st.LastSuccess.IsZero() {
			t.Errorf("%+v", st)
		}
		sources = append(sources, st.Source)
	}
	if diff := cmp.Diff([]string{p.URL + "/keys"}, sources); diff != "" {
		t.Error(diff)
	}
	_, err = authenticate(t, discovered, request(other.token(other.header(), ours)))
	wantRefused(t, err, authz.ReasonKeysUnavailable, "")
	if m.Close(); !strings.Contains(lines.String(), "keys changed") {
		t.Errorf("log: %s", lines.String())
	}
}

// TestKeySetsLog: operators read why keys are not there, and no secret.
func TestKeySetsLog(t *testing.T) {
	es := keys().es256
	p := newProvider(t, set(es.jwk(), object{"kty": "oct", "kid": "shared", "k": "c2VjcmV0LWNhbmFyeQ"}))
	var lines bytes.Buffer
	log := slog.New(slog.NewTextHandler(&lines, nil))
	check := func(address string, token string) error {
		m := p.keySets(t, log)
		defer m.Close()
		_, err := authenticate(t, compile(t, spec("", p.from(address)), Options{KeySets: m}), request(token))
		return err
	}
	good := es.token(es.header(), claims(nil))
	p.down.Store(true)
	wantRefused(t, check(p.URL+"/keys?secret=canary", good), authz.ReasonKeysUnavailable, "the issuer's keys could not be fetched")
	p.down.Store(false)
	wantReason(t, check(p.URL+"/keys", good), accepted)
	hs := &signer{id: "shared", alg: "HS256", secret: []byte("secret-canary")}
	wantRefused(t, check(p.URL+"/keys", hs.token(hs.header(), claims(nil))), authz.ReasonAlgorithmRefused, "")

	for _, want := range []string{"keys not fetched", "answered with status 503", "key refused", "keys[1]: a symmetric key", "source=" + p.URL + "/keys "} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("the log lacks %q: %s", want, lines.String())
		}
	}
	if strings.Contains(lines.String(), "canary") || strings.Contains(lines.String(), "c2VjcmV0") {
		t.Errorf("the log tells a secret: %s", lines.String())
	}
}

// TestOffline: without KeySets a scheme compiles, and cannot tell.
func TestOffline(t *testing.T) {
	es := keys().es256
	for _, edit := range []func(*v1alpha1.JWTScheme){
		func(s *v1alpha1.JWTScheme) { s.Issuers[0].JWKS = nil },
		func(s *v1alpha1.JWTScheme) {
			s.Issuers[0].JWKS = &v1alpha1.JWKSSource{URI: "https://login.example.com/keys"}
		},
	} {
		_, err := authenticate(t, compile(t, spec("", edit), Options{}), request(es.token(es.header(), claims(nil))))
		wantRefused(t, err, authz.ReasonKeysUnavailable, "")
	}
}

// TestConcurrency: requests, reloads, rotation and outages at the same time. A token of a key that is always there is
// always good, and one of a key that never is never.
func TestConcurrency(t *testing.T) {
	k := keys()
	p := newProvider(t, set(k.es256.jwk()))
	m, tokens := p.keySets(t, nil), newTokens(t)
	var current atomic.Pointer[Scheme]
	reload := func() {
		s := compile(t, spec("", p.from(p.URL+"/keys")), Options{KeySets: m, Tokens: tokens})
		current.Store(s)
		m.Retain(s)
	}
	reload()
	good := request(k.es256.token(k.es256.header(), claims(nil)))
	if _, err := authenticate(t, current.Load(), good); err != nil {
		t.Fatal(err)
	}
	forged := *k.ed
	forged.id = "es256"
	bad := []*authz.Request{
		request(forged.token(forged.header(), claims(nil))),
		request(k.ed.token(k.ed.header(), claims(nil))),
		request("x.y.z"),
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 300 {
				r := *good
				if _, err := authenticate(t, current.Load(), &r); err != nil {
					t.Errorf("good: %v", err)
				}
				r = *bad[i%len(bad)]
				if _, err := authenticate(t, current.Load(), &r); err == nil {
					t.Error("accepted a bad one")
				}
			}
		})
	}
	all.Go(func() {
		for i := range 50 {
			reload()
			p.rotate(set(k.es256.jwk(), edited(k.other256.jwk(), object{"kid": strings.Repeat("x", i)})))
			p.down.Store(i%2 == 0)
			_ = m.Stats()
		}
	})
	all.Wait()
	if n := p.fetches.Load(); n > 10 {
		t.Errorf("%d fetches", n)
	}
}
