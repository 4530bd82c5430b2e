package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// hook is a request with a signed body.
func hook(body string) harness.Request {
	r := harness.Request{Method: "POST", Target: "/webhooks/payment", Body: body}
	return r.With("Host: localhost", "Content-Type: application/json", harness.ContentDigest(body))
}

// TestSignedBody: a body is verified whole or not at all. The recommended Envoy hands over up to 1 MiB of it, byte by
// byte; the naive one the first 4 KiB, as text.
func TestSignedBody(t *testing.T) {
	const mebi = 1 << 20
	const paid = `{"paid": 10}`
	uncovered := world.shop.Signer()
	uncovered.Cover = []string{"@method", "@authority", "@path", "@query"}
	sign := world.shop.Signer().Sign
	withheld := hook("{}")
	withheld.Target = "/reports/daily"
	// Requests are made for each Envoy anew: the same signature does not count twice.
	cases := map[string]struct {
		request            func() harness.Request
		recommended, naive int // the status
	}{
		"whole":         {func() harness.Request { return sign(hook(paid)) }, 200, 200},
		"chunked":       {func() harness.Request { return chunked(sign(hook(paid))) }, 200, 200},
		"not UTF-8":     {func() harness.Request { return sign(hook("\xff\xfe\x00")) }, 200, 401},
		"1 MiB":         {func() harness.Request { return sign(hook(strings.Repeat("x", mebi))) }, 200, 413},
		"1 MiB and one": {func() harness.Request { return sign(hook(strings.Repeat("x", mebi+1))) }, 413, 413},
		"cut":           {func() harness.Request { return sign(hook(strings.Repeat("x", 5000))) }, 200, 413},
		"changed":       {func() harness.Request { return body(sign(hook(paid)), `{"paid": 99}`) }, 401, 401},
		"extended":      {func() harness.Request { return body(sign(hook(paid)), paid+" ") }, 401, 401},
		"chunk changed": {func() harness.Request { return chunked(body(sign(hook(paid)), `{"paid": 99}`)) }, 401, 401},
		"dropped":       {func() harness.Request { return body(sign(hook(paid)), "") }, 401, 401},
		"not covered":   {func() harness.Request { return uncovered.Sign(hook(paid)) }, 401, 401},
		"no digest":     {func() harness.Request { return sign(digest(hook(paid), "")) }, 401, 401},
		"broken digest": {func() harness.Request { return sign(digest(hook(paid), "sha-256=1")) }, 401, 401},
		"md5 alone":     {func() harness.Request { return sign(digest(hook("{}"), "md5=:mZFLkyvTelC5g8XnyQrpOw==:")) }, 401, 401},
		"no signature":  {func() harness.Request { return hook(paid) }, 401, 401},
		"withheld":      {func() harness.Request { return sign(withheld) }, 401, 200},
		"withheld, the client says whole": {func() harness.Request {
			return sign(withheld).With("x-envoy-auth-partial-body: false")
		}, 401, 200},
	}
	eachGate(t, func(t *testing.T, g gate) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				want := map[string]int{"recommended": c.recommended, "naive": c.naive}[g.name]
				r := c.request()
				a, seen := g.send(t, r)
				if a.Status != want {
					t.Fatalf("answered %d, want %d: %s", a.Status, want, a.Body)
				}
				if seen != nil && r.Field("Transfer-Encoding") == "" && seen.Body != r.Body {
					t.Errorf("the upstream saw %d bytes that are not the %d sent", len(seen.Body), len(r.Body))
				}
			})
		}
	})
}

func body(r harness.Request, text string) harness.Request {
	r.Body = text
	return r
}

func digest(r harness.Request, value string) harness.Request {
	edit(&r, "Content-Digest", value)
	return r
}

// chunked sends the body in one chunk, without a length in front.
func chunked(r harness.Request) harness.Request {
	r.Body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(r.Body), r.Body)
	return r.With("Transfer-Encoding: chunked")
}
