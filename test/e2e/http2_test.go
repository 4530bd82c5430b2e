package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/test/harness"
)

// head starts an HTTP/2 request.
func head(method, scheme, authority, path string, fields ...[2]string) harness.Request2 {
	return harness.Request2{Fields: append([][2]string{
		{":method", method}, {":scheme", scheme}, {":authority", authority}, {":path", path},
	}, fields...)}
}

// TestHTTP2 sends what only HTTP/2 can carry. An Envoy may refuse a request by resetting its stream: status 0 here.
func TestHTTP2(t *testing.T) {
	key, reader := world.creds["key"], world.creds["reader"]
	half := len(key) / 2
	cases := map[string]struct {
		request            harness.Request2
		recommended, naive int
	}{
		"key":                    {head("GET", "http", "keys.test", "/x", [2]string{"x-api-key", key}), 200, 200},
		"untrimmed key":          {head("GET", "http", "keys.test", "/x", [2]string{"x-api-key", "  " + key + "  "}), 200, 200},
		"any scheme":             {head("GET", "gopher", "keys.test", "/x", [2]string{"x-api-key", key}), 200, 200},
		"cookies apart":          {head("GET", "http", "keys.test", "/x", [2]string{"cookie", "a=1"}, [2]string{"cookie", "api_key=" + key}), 200, 200},
		"two keys in cookies":    {head("GET", "http", "keys.test", "/x", [2]string{"cookie", "api_key=" + key}, [2]string{"cookie", "api_key=" + reader}), 400, 400},
		"two keys":               {head("GET", "http", "keys.test", "/x", [2]string{"x-api-key", key}, [2]string{"x-api-key", reader}), 400, 400},
		"half keys":              {head("GET", "http", "keys.test", "/x", [2]string{"x-api-key", key[:half]}, [2]string{"x-api-key", key[half:]}), 400, 400},
		"authority before host":  {head("GET", "http", "paths.test", "/admin", [2]string{"host", "api.test"}), 401, 401},
		"raw UTF-8 in the path":  {head("GET", "http", "paths.test", "/open/é"), 200, 400},
		"an unknown method":      {head("READ", "http", "claims.test", "/read"), 401, 401},
		"dot segments":           {head("GET", "http", "paths.test", "/open/../admin"), 401, 400},
		"a fragment":             {head("GET", "http", "paths.test", "/open#x"), 400, 400},
		"no path":                {head("GET", "http", "paths.test", "*"), 0, 0},
		"an underscore":          {head("GET", "http", "api.test", "/x", [2]string{"x_auth_subject", "root"}), 0, 200},
		"spoofed subject":        {head("GET", "http", "api.test", "/x", [2]string{"x-auth-subject", "root"}, [2]string{"x-auth.subject", "root"}), 200, 200},
		"two authorities joined": {head("GET", "http", "api.test,paths.test", "/x"), 400, 400},
	}
	eachGate(t, func(t *testing.T, g gate) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				want := map[string]int{"recommended": c.recommended, "naive": c.naive}[g.name]
				a, seen := g.observe(t, func() (harness.Answer, error) {
					a, err := c.request.Send(t.Context(), g.Address)
					if want == 0 {
						return a, nil // without an answer is as it should be
					}
					return a, err
				})
				if a.Status != want {
					t.Fatalf("answered %d, want %d: %s", a.Status, want, a.Body)
				}
				if seen != nil && strings.Contains(seen.Headers.Get("X-Auth-Subject"), "root") {
					t.Errorf("the upstream saw %v", seen.Headers)
				}
			})
		}
	})
}

// TestGRPCCallers: a caller that speaks gRPC gets a grpc-status, its HTTP status is always 200.
func TestGRPCCallers(t *testing.T) {
	cases := map[string]struct {
		request harness.Request2
		status  string
	}{
		"no credential":      {head("POST", "http", "keys.test", "/shop.Orders/List"), "16"},
		"wrong credential":   {head("POST", "http", "keys.test", "/shop.Orders/List", [2]string{"x-api-key", "wrong"}), "16"},
		"not allowed":        {head("POST", "http", "nobody.test", "/shop.Orders/List"), "7"},
		"could not tell":     {head("POST", "http", "unavailable.test", "/shop.Orders/List", [2]string{"authorization", "Bearer " + world.creds["gone"]}), "14"},
		"with a proto codec": {head("POST", "http", "nobody.test", "/shop.Orders/List"), "7"},
		"two credentials": {head("POST", "http", "keys.test", "/shop.Orders/List",
			[2]string{"x-api-key", world.creds["key"]}, [2]string{"x-api-key", world.creds["reader"]}), "3"},
	}
	eachGate(t, func(t *testing.T, g gate) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				kind := "application/grpc"
				if name == "with a proto codec" {
					kind += "+proto"
				}
				r := harness.Request2{Fields: append(slices.Clip(c.request.Fields),
					[2]string{"content-type", kind}, [2]string{"te", "trailers"}), Body: "\x00\x00\x00\x00\x00"}
				g.wantsGRPC(t, r, c.status)
			})
		}
	})
}

// TestGRPCBodyTooLarge: the naive Envoy hands over a part of a signed body. The recommended one refuses a body that is
// too long by itself, and holds all of this one.
func TestGRPCBodyTooLarge(t *testing.T) {
	signed := world.shop.Signer().Sign(hook(strings.Repeat("x", 5000)))
	r := head(signed.Method, "http", signed.Field("Host"), signed.Target)
	for _, f := range signed.Fields {
		if name, value, _ := strings.Cut(f, ": "); name != "Host" && name != "Content-Type" {
			r.Fields = append(r.Fields, [2]string{strings.ToLower(name), value})
		}
	}
	r.Fields = append(r.Fields, [2]string{"content-type", "application/grpc"}, [2]string{"te", "trailers"})
	r.Body = signed.Body
	for _, g := range world.gates {
		if g.name == "naive" {
			g.wantsGRPC(t, r, "8")
		}
	}
}

// wantsGRPC sends a request that must be denied as gRPC has it.
func (g gate) wantsGRPC(t *testing.T, r harness.Request2, status string) {
	t.Helper()
	a, _ := g.observe(t, func() (harness.Answer, error) { return r.Send(t.Context(), g.Address) })
	if a.Status != 200 || a.Headers.Get("Grpc-Status") != status || a.Headers.Get("Grpc-Message") == "" {
		t.Errorf("%d %v %q, want grpc-status %s", a.Status, a.Headers, a.Body, status)
	}
	if strings.HasPrefix(a.Body, "{") {
		t.Errorf("a gRPC caller got a document: %s", a.Body)
	}
}
