package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// remoteScheme is a host whose tokens need keys that are fetched from a URL.
const remoteScheme = `apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: %[1]s, namespace: remote}
spec:
  jwt: {issuers: [{issuer: "https://login.example.com", audiences: [shop], algorithms: [ES256], jwks: {uri: %[2]q}}]}
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: %[1]s, namespace: remote}
spec: {hosts: [%[1]s.test], security: [{%[1]s: []}]}
---
`

// tokenStatus sends a token to a host of remoteScheme.
func (w *own) tokenStatus(t *testing.T, host, token string) int {
	t.Helper()
	r := harness.Request{Method: "GET", Target: "/", Fields: []string{"Host: " + host + ".test", "Authorization: Bearer " + token}}
	before := w.upstream.Hits()
	a, err := r.Send(t.Context(), w.Address)
	if err != nil {
		t.Fatal(err)
	}
	if passed := w.upstream.Hits() - before; passed != 0 && a.Status != http.StatusOK {
		t.Errorf("%s: answered %d, yet %d requests reached the upstream", host, a.Status, passed)
	}
	return a.Status
}

// TestRemoteKeys: keys come over HTTP, and new ones as soon as a token needs them. Tokens with unknown key ids do not
// make Postern hammer the issuer, and when the issuer is gone its last keys go on.
func TestRemoteKeys(t *testing.T) {
	eachOwn(t, func(t *testing.T, w *own) {
		var fetched atomic.Int64
		var keys atomic.Value
		keys.Store(w.shop.Issuer.JWKS())
		issuer := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
			fetched.Add(1)
			fmt.Fprint(out, keys.Load())
		}))
		defer issuer.Close()
		w.write(t, "remote.yaml", fmt.Sprintf(remoteScheme, "remote", issuer.URL+"/jwks.json"))
		old := w.shop.Issuer.Token(nil)
		await(t, 5*time.Second, "tokens are accepted", func() bool { return w.tokenStatus(t, "remote", old) == 200 })

		rotated, err := harness.NewIssuer(w.shop.Issuer.Name, w.shop.Issuer.Audience, "2027")
		if err != nil {
			t.Fatal(err)
		}
		keys.Store(rotated.JWKS())
		if got := w.tokenStatus(t, "remote", rotated.Token(nil)); got != 200 {
			t.Errorf("a token of the new key: %d", got)
		}
		if got := w.tokenStatus(t, "remote", old); got != 401 {
			t.Errorf("a token of the key that is gone: %d", got)
		}

		before := fetched.Load()
		unknown := *rotated
		for i := range 50 {
			unknown.KeyID = fmt.Sprint("unknown-", i)
			if got := w.tokenStatus(t, "remote", unknown.Token(nil)); got != 401 {
				t.Errorf("an unknown key id: %d", got)
			}
		}
		if again := fetched.Load() - before; again > 0 { // the rotation has just caused one
			t.Errorf("50 unknown key ids made Postern fetch %d times", again)
		}
		issuer.Close()
		for i := range 10 {
			if got := w.tokenStatus(t, "remote", rotated.Token(map[string]any{"jti": fmt.Sprint(i)})); got != 200 {
				t.Errorf("without the issuer: %d", got)
			}
		}
	})
}

// TestOddKeySets: an answer that is no key set of the issuer's is not followed, not read to its end and not waited for.
// Good tokens cannot be told then, and nobody passes; other schemes go on.
func TestOddKeySets(t *testing.T) {
	eachOwn(t, func(t *testing.T, w *own) {
		var followed atomic.Int64
		answers := http.NewServeMux()
		answers.HandleFunc("/redirect", func(out http.ResponseWriter, r *http.Request) { http.Redirect(out, r, "/keys", http.StatusFound) })
		answers.HandleFunc("/keys", func(out http.ResponseWriter, _ *http.Request) {
			followed.Add(1)
			fmt.Fprint(out, w.shop.Issuer.JWKS())
		})
		answers.HandleFunc("/huge", func(out http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(out, strings.TrimSuffix(w.shop.Issuer.JWKS(), "}"))
			for range 100 { // until the client hangs up
				if _, err := fmt.Fprint(out, strings.Repeat(" ", 1<<20)); err != nil {
					return
				}
			}
			fmt.Fprint(out, "}")
		})
		answers.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		answers.HandleFunc("/page", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprint(out, "<html>Welcome!</html>") })
		issuer := httptest.NewServer(answers)
		t.Cleanup(issuer.Close)
		places := map[string]string{"metadata": "https://169.254.169.254/latest/meta-data"}
		for _, name := range []string{"redirect", "huge", "slow", "page"} {
			places[name] = issuer.URL + "/" + name
		}
		var resources strings.Builder
		for name, uri := range places {
			fmt.Fprintf(&resources, remoteScheme, name, uri)
		}
		w.write(t, "odd.yaml", resources.String())
		for name := range places {
			await(t, 10*time.Second, name+" cannot be told", func() bool {
				return w.tokenStatus(t, name, w.shop.Issuer.Token(nil)) == 503
			})
			if got := w.status(t, w.shop.Key); got != 200 {
				t.Errorf("%s: an API key elsewhere: %d", name, got)
			}
		}
		for _, why := range []string{
			"redirects are not followed", "answered with more than 1048576 bytes", "connections to 169.254.169.254 are refused",
		} {
			await(t, 10*time.Second, "the log says: "+why, func() bool { return strings.Contains(w.posterns[0].Stderr(), why) })
		}
		if n := followed.Load(); n > 0 {
			t.Errorf("a redirect was followed %d times", n)
		}
	})
}
