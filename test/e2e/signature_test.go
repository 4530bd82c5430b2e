package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// report is a request to a route that takes a signature.
func report() harness.Request {
	return harness.Request{
		Method: "GET", Target: "/reports/daily?day=monday&unit=kg",
		Fields: []string{"Host: localhost", "X-Extra: one"},
	}
}

// TestSignatureCovers changes each signed part of a request on its way.
func TestSignatureCovers(t *testing.T) {
	cases := map[string]func(r *harness.Request){
		"method":          func(r *harness.Request) { r.Method = "DELETE" },
		"host":            func(r *harness.Request) { edit(r, "Host", "eu.shop.localhost") },
		"path":            func(r *harness.Request) { r.Target = strings.Replace(r.Target, "daily", "weekly", 1) },
		"path case":       func(r *harness.Request) { r.Target = strings.Replace(r.Target, "daily", "Daily", 1) },
		"query":           func(r *harness.Request) { r.Target = strings.Replace(r.Target, "monday", "friday", 1) },
		"query order":     func(r *harness.Request) { r.Target = "/reports/daily?unit=kg&day=monday" },
		"query added":     func(r *harness.Request) { r.Target += "&day=friday" },
		"query gone":      func(r *harness.Request) { r.Target = "/reports/daily" },
		"query encoding":  func(r *harness.Request) { r.Target = strings.Replace(r.Target, "monday", "%6donday", 1) },
		"signed field":    func(r *harness.Request) { edit(r, "X-Extra", "two") },
		"field repeated":  func(r *harness.Request) { *r = r.With("X-Extra: two") },
		"field gone":      func(r *harness.Request) { edit(r, "X-Extra", "") },
		"key id":          func(r *harness.Request) { swap(r, "Signature-Input", harness.SigningKeyID, "acme-2") },
		"time":            func(r *harness.Request) { swap(r, "Signature-Input", "created=1", "created=2") },
		"nonce":           func(r *harness.Request) { swap(r, "Signature-Input", `nonce="`, `nonce="x`) },
		"label":           func(r *harness.Request) { swap(r, "Signature", "sig1=", "sig2=") },
		"signature":       func(r *harness.Request) { swap(r, "Signature", "sig1=:", "sig1=:AAAA") },
		"signature cut":   func(r *harness.Request) { edit(r, "Signature", "sig1=:AAAA:") },
		"signature empty": func(r *harness.Request) { edit(r, "Signature", "sig1=::") },
		"signature text":  func(r *harness.Request) { edit(r, "Signature", `sig1="AAAA"`) },
		"no signature":    func(r *harness.Request) { edit(r, "Signature", "") },
		"no input":        func(r *harness.Request) { edit(r, "Signature-Input", "") },
		"broken input":    func(r *harness.Request) { edit(r, "Signature-Input", `sig1=("@method"`) },
		"less covered":    func(r *harness.Request) { swap(r, "Signature-Input", ` "@query"`, "") },
		"a body appears":  func(r *harness.Request) { r.Method, r.Body = "GET", "smuggled" },
	}
	signer := world.shop.Signer()
	signer.Cover = []string{"@method", "@authority", "@path", "@query", "x-extra"}
	eachGate(t, func(t *testing.T, g gate) {
		if a, seen := g.send(t, signer.Sign(report())); a.Status != 200 || seen.Headers.Get("X-Auth-Subject") != "app:shop/acme" {
			t.Fatalf("the untouched request: %d %s", a.Status, a.Body)
		}
		for name, tamper := range cases {
			t.Run(name, func(t *testing.T) {
				r := signer.Sign(report())
				before := string(r.Bytes())
				tamper(&r)
				if string(r.Bytes()) == before {
					t.Fatal("the case changes nothing")
				}
				if a, _ := g.send(t, r); a.Status != 401 || a.Headers.Get("Accept-Signature") == "" {
					t.Errorf("%d %v %s", a.Status, a.Headers, a.Body)
				}
			})
		}
	})
}

// TestSignatureRules sends signatures that are valid for what they cover, and break a rule.
func TestSignatureRules(t *testing.T) {
	now := time.Now()
	full := []string{"@method", "@authority", "@path", "@query"}
	cases := map[string]func(s *harness.Signer){
		"no method":         func(s *harness.Signer) { s.Cover = []string{"@authority", "@path", "@query"} },
		"no authority":      func(s *harness.Signer) { s.Cover = []string{"@method", "@path", "@query"} },
		"no path":           func(s *harness.Signer) { s.Cover = []string{"@method", "@authority", "@query"} },
		"no query":          func(s *harness.Signer) { s.Cover = []string{"@method", "@authority", "@path"} },
		"nothing":           func(s *harness.Signer) { s.Cover = []string{} },
		"twice the same":    func(s *harness.Signer) { s.Cover = slices.Concat(full, []string{"@method"}) },
		"a field not there": func(s *harness.Signer) { s.Cover = slices.Concat(full, []string{"x-absent"}) },
		"upper case":        func(s *harness.Signer) { s.Cover = slices.Concat(full, []string{"X-Extra"}) },
		"unknown component": func(s *harness.Signer) { s.Cover = slices.Concat(full, []string{"@everything"}) },
		"status":            func(s *harness.Signer) { s.Cover = slices.Concat(full, []string{"@status"}) },
		"itself":            func(s *harness.Signer) { s.Cover = slices.Concat(full, []string{"@signature-params"}) },
		"no time":           func(s *harness.Signer) { s.Undated = true },
		"old":               func(s *harness.Signer) { s.At = now.Add(-6 * time.Minute) },
		"of the future":     func(s *harness.Signer) { s.At = now.Add(3 * time.Minute) },
		"expired": func(s *harness.Signer) {
			s.At, s.Params = now.Add(-time.Minute), seconds(";expires=", now.Add(-time.Second))
		},
		"expires before":     func(s *harness.Signer) { s.Params = seconds(";expires=", now.Add(-time.Hour)) },
		"another algorithm":  func(s *harness.Signer) { s.Params = `;alg="ed25519"` },
		"an unknown one":     func(s *harness.Signer) { s.Params = `;alg="none"` },
		"unknown key":        func(s *harness.Signer) { s.KeyID = "nobody" },
		"no key":             func(s *harness.Signer) { s.KeyID = "" },
		"another secret":     func(s *harness.Signer) { s.Secret += "x" },
		"no secret":          func(s *harness.Signer) { s.Secret = "" },
		"an API key's id":    func(s *harness.Signer) { s.KeyID = "shop/acme/main" },
		"a key id injection": func(s *harness.Signer) { s.KeyID = `acme-1";alg="none` },
	}
	eachGate(t, func(t *testing.T, g gate) {
		for name, change := range cases {
			t.Run(name, func(t *testing.T) {
				s := world.shop.Signer()
				change(&s)
				if a, _ := g.send(t, s.Sign(report())); a.Status != 401 {
					t.Errorf("%d %s", a.Status, a.Body)
				}
			})
		}
		for name, allowed := range map[string]harness.Signer{
			"target URI": {Cover: []string{"@method", "@target-uri"}},
			"own label":  {Label: "acme", Params: `;alg="hmac-sha256";tag="shop"`},
			"expires":    {Params: seconds(";expires=", now.Add(time.Minute))},
		} {
			t.Run(name, func(t *testing.T) {
				allowed.KeyID, allowed.Secret = harness.SigningKeyID, world.shop.Secret
				if a, _ := g.send(t, allowed.Sign(report())); a.Status != 200 {
					t.Errorf("%d %s", a.Status, a.Body)
				}
			})
		}
		t.Run("two signatures", func(t *testing.T) {
			s := world.shop.Signer()
			r := s.Sign(report())
			s.Label = "sig2"
			if a, _ := g.send(t, s.Sign(r)); a.Status != 400 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	})
}

// TestReplay sends what was accepted once more: as it is, under another label, in another order, over HTTP/2 and
// through the other Envoy.
func TestReplay(t *testing.T) {
	for i, g := range world.gates {
		other := world.gates[1-i]
		r := world.shop.Signer().Sign(report())
		if a, _ := g.send(t, r); a.Status != 200 {
			t.Fatalf("%s: %d %s", g.name, a.Status, a.Body)
		}
		relabelled := r
		relabelled.Fields = append([]string(nil), r.Fields...)
		swap(&relabelled, "Signature-Input", "sig1=", "other=")
		swap(&relabelled, "Signature", "sig1=", "other=")
		spaced := r
		spaced.Fields = append([]string(nil), r.Fields...)
		swap(&spaced, "Signature-Input", `" "`, `"  "`)
		for name, again := range map[string]harness.Request{"same": r, "relabelled": relabelled, "spaced": spaced} {
			if a, _ := g.send(t, again); a.Status != 401 {
				t.Errorf("%s, %s: %d %s", g.name, name, a.Status, a.Body)
			}
		}
		if a, _ := other.send(t, r); a.Status != 401 {
			t.Errorf("%s after %s: %d %s", other.name, g.name, a.Status, a.Body)
		}
	}
}

// edit replaces a field's value, or takes the field away.
func edit(r *harness.Request, name, value string) {
	var kept []string
	for _, f := range r.Fields {
		if n, _, _ := strings.Cut(f, ":"); n != name {
			kept = append(kept, f)
		} else if value != "" {
			kept = append(kept, name+": "+value)
		}
	}
	r.Fields = kept
}

// swap replaces a part of a field's value.
func swap(r *harness.Request, name, old, replacement string) {
	edit(r, name, strings.Replace(r.Field(name), old, replacement, 1))
}

// seconds renders a parameter with a time.
func seconds(param string, at time.Time) string { return param + unix(at) }
