//go:build linux

package mesh

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/test/harness"
)

// caller sends requests through one Envoy and watches the upstream.
type caller struct {
	*world
	address string
}

// exchange is a request and what must come of it.
type exchange struct {
	name    string
	request harness.Request
	key     string // name of the caller's API key; "-" is one that nobody has

	status   int
	upstream bool              // it arrives there, once
	headers  map[string]string // and so do these; "" stands for a header that must not
}

// try sends the request and compares.
func (c caller) try(t *testing.T, x exchange) {
	t.Helper()
	r := x.request
	switch x.key {
	case "":
	case "-":
		r = r.With("X-API-Key: pk_nobody")
	default:
		r = r.With("X-API-Key: " + c.keys[x.key])
	}
	c.upstream.Take()
	before := c.upstream.Hits()
	a, err := r.Send(t.Context(), c.address)
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != x.status {
		t.Errorf("status %d, want %d; body: %s", a.Status, x.status, a.Body)
	}
	if x.status == http.StatusUnauthorized && a.Headers.Get("WWW-Authenticate") == "" {
		t.Error("401 without a challenge")
	}
	want := 0
	if x.upstream {
		want = 1
	}
	if hits := c.upstream.Hits() - before; hits != want {
		t.Fatalf("%d requests reached the upstream, want %d", hits, want)
	}
	for _, seen := range c.upstream.Take() {
		got := map[string]string{}
		for name := range x.headers {
			got[name] = seen.Headers.Get(name)
		}
		if diff := cmp.Diff(x.headers, got); diff != "" {
			t.Errorf("headers at the upstream (-want +got):\n%s", diff)
		}
	}
}

// patience is how long a change may take to reach Envoy and Postern on a busy machine.
const patience = 30 * time.Second

// awaitStatus waits until requests get a status: what was applied has reached Envoy and Postern.
func (c caller) awaitStatus(t *testing.T, ctx context.Context, what string, r harness.Request, status int) {
	t.Helper()
	c.awaitAnyStatus(t, ctx, what, func() harness.Request { return r }, status)
}

// awaitAnyStatus is awaitStatus for requests that may not be sent twice.
func (c caller) awaitAnyStatus(t *testing.T, ctx context.Context, what string, next func() harness.Request, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	last := 0
	err := harness.Await(ctx, what, func() bool {
		a, err := next().Send(ctx, c.address)
		if err == nil {
			last = a.Status
		}
		return last == status
	})
	if err != nil {
		t.Fatalf("%v; the last answer's status was %d", err, last)
	}
}

func request(method, target, host string, fields ...string) harness.Request {
	return harness.Request{Method: method, Target: target}.With("Host: " + host).With(fields...)
}

// forged are identity headers that a client made up: of those that policies set, and of those they do not.
var forged = []string{"X-Auth-Subject: root", "X-Auth-Tenant: forged", "X-Auth-Key-Id: forged", "x-auth.subject: root"}

// exchanges are what every environment must answer alike: all that Postern is asked about.
func exchanges() []exchange {
	const shop, reports = "shop.example.com", "reports.example.com"
	caller := map[string]string{
		"X-Auth-Subject": "app:shop/tester", "X-Auth-Tenant": "t1", "X-Auth-Key-Id": "", "X-Auth.Subject": "", "X-Api-Key": "",
	}
	nobody := map[string]string{"X-Auth-Subject": "", "X-Auth-Tenant": "", "X-Auth-Key-Id": "", "X-Auth.Subject": ""}
	return []exchange{
		{name: "good key", request: request("GET", "/orders/1", shop), key: "all", status: 200, upstream: true, headers: caller},
		{name: "forged identity", request: request("GET", "/orders/1", shop, forged...), key: "reader", status: 200, upstream: true, headers: caller},
		{name: "no key", request: request("GET", "/orders/1", shop), status: 401},
		{name: "bad key", request: request("GET", "/orders/1", shop), key: "-", status: 401},
		{name: "wrong scope", request: request("POST", "/orders", shop), key: "reader", status: 403},
		{name: "right scope", request: request("POST", "/orders", shop), key: "all", status: 200, upstream: true, headers: caller},
		{name: "public", request: request("GET", "/public/x", shop, forged...), status: 200, upstream: true, headers: nobody},
		{name: "dot segments", request: request("GET", "/public/../orders/1", shop), status: 401},
		{name: "no policy", request: request("GET", "/forgotten", shop), key: "all", status: 403},
		{name: "by host: good key", request: request("GET", "/", reports, "X-Auth-App: forged"), key: "all", status: 200, upstream: true,
			headers: map[string]string{"X-Auth-Subject": "app:shop/tester", "X-Auth-App": "shop/tester"}},
		{name: "by host: no key", request: request("GET", "/", reports), status: 401},
		{name: "by host: wrong scope", request: request("GET", "/", reports), key: "reader", status: 403},
	}
}

// webhook returns a signed request. No two are alike, for what was signed counts once.
func (c caller) webhook() harness.Request {
	body := `{"id": "` + rand.Text() + `"}`
	mac := hmac.New(sha256.New, []byte(c.secret))
	mac.Write([]byte(body))
	r := request("POST", "/", "hooks.example.com", "X-Hub-Signature-256: sha256="+hex.EncodeToString(mac.Sum(nil)))
	r.Body = body
	return r
}

// webhooks are requests whose signature covers the body. Where Envoy does not hand it over nothing verifies.
func (c caller) webhooks(handedOver bool) []exchange {
	if !handedOver {
		return []exchange{{name: "webhook: the body is not handed over", request: c.webhook(), status: 401}}
	}
	forged := c.webhook()
	forged.Body = strings.Replace(forged.Body, "id", "ID", 1)
	return []exchange{
		{name: "webhook: good signature", request: c.webhook(), status: 200, upstream: true,
			headers: map[string]string{"X-Auth-Subject": "app:shop/github"}},
		{name: "webhook: another body", request: forged, status: 401},
	}
}

func (c caller) tryAll(t *testing.T, all []exchange) {
	for _, x := range all {
		t.Run(x.name, func(t *testing.T) { c.try(t, x) })
	}
}

// leaky and hardened are requests to the one path that Postern is not asked about, before and after an environment's
// hardening.yaml is applied.
var (
	leaky = []exchange{
		{name: "not asked: forged identity arrives", request: request("GET", "/healthz", "shop.example.com", forged...), status: 200, upstream: true,
			headers: map[string]string{"X-Auth-Subject": "root", "X-Auth-Tenant": "forged"}},
	}
	hardened = []exchange{
		{name: "not asked: forged identity is gone", request: request("GET", "/healthz", "shop.example.com", forged...), status: 200, upstream: true,
			headers: map[string]string{"X-Auth-Subject": "", "X-Auth-Tenant": "", "X-Auth-Key-Id": "", "X-Auth.Subject": ""}},
		{name: "underscores", request: request("GET", "/healthz", "shop.example.com", "X_Auth_Subject: root"), status: 400},
		{name: "encoded slash", request: request("GET", "/public%2F..%2Forders", "shop.example.com"), status: 400},
	}
)
