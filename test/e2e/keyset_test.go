package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// remoteScheme has its keys fetched from a URL.
const remoteScheme = `apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: login, namespace: remote}
spec:
  jwt: {issuers: [{issuer: "https://login.example.com", audiences: [shop], algorithms: [ES256], jwks: {uri: %q}}]}
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: remote, namespace: remote}
spec: {hosts: [remote.test], security: [{login: []}]}
`

// TestRemoteKeys: keys come over HTTP. Tokens with unknown key ids do not make Postern hammer the issuer, and when
// the issuer is gone its last keys go on.
func TestRemoteKeys(t *testing.T) {
	w := newOwn(t, "recommended", 1)
	var fetched atomic.Int64
	issuer := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		fmt.Fprint(out, w.shop.Issuer.JWKS())
	}))
	defer issuer.Close()
	w.write(t, "remote.yaml", fmt.Sprintf(remoteScheme, issuer.URL+"/jwks.json"))
	status := func(token string) int {
		r := harness.Request{Method: "GET", Target: "/", Fields: []string{"Host: remote.test", "Authorization: Bearer " + token}}
		a, err := r.Send(t.Context(), w.Address)
		if err != nil {
			t.Fatal(err)
		}
		return a.Status
	}
	await(t, 5*time.Second, "tokens are accepted", func() bool { return status(w.shop.Issuer.Token(nil)) == 200 })
	before := fetched.Load()
	unknown := *w.shop.Issuer
	for i := range 50 {
		unknown.KeyID = fmt.Sprint("unknown-", i)
		if got := status(unknown.Token(nil)); got != 401 {
			t.Errorf("an unknown key id: %d", got)
		}
	}
	if again := fetched.Load() - before; again > 1 {
		t.Errorf("50 unknown key ids made Postern fetch %d times", again)
	}
	issuer.Close()
	for range 10 {
		if got := status(w.shop.Issuer.Token(map[string]any{"jti": time.Now().String()})); got != 200 {
			t.Errorf("without the issuer: %d", got)
		}
	}
}
