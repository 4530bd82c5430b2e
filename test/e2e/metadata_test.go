package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/test/harness"
)

// TestDynamicMetadata: Envoy's access log tells who was let in or not, and why.
func TestDynamicMetadata(t *testing.T) {
	key := "X-API-Key: " + world.creds["key"]
	type facts = map[string]any
	cases := map[string]struct {
		request harness.Request
		want    facts
	}{
		"allowed": {bearer(key), facts{
			"decision": "allow", "reason": "authenticated", "policy": "shop/shop", "rule": "read-orders", "scheme": "shop/api-key",
			"subject": "app:shop/acme", "app": "shop/acme", "key_id": "shop/acme/main", "scopes": []any{"orders:read", "orders:write"},
		}},
		"denied": {bearer("X-API-Key: wrong"), facts{
			"decision": "deny", "reason": "malformed_credential", "policy": "shop/shop", "rule": "read-orders", "scheme": "shop/api-key",
		}},
		"shadow": {harness.Request{Method: "GET", Target: "/beta/x", Fields: []string{"Host: localhost"}}, facts{
			"decision": "shadow_deny", "reason": "no_credential", "policy": "shop/shop", "rule": "beta",
		}},
	}
	eachGate(t, func(t *testing.T, g gate) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				a, seen := g.send(t, c.request)
				var problem struct{ RequestID string }
				_ = json.Unmarshal([]byte(a.Body), &problem) // send has checked its form
				id := problem.RequestID
				if seen != nil {
					id = seen.Headers.Get("X-Request-ID")
				}
				var line struct{ Auth facts }
				if text := g.logged(t, id); json.Unmarshal([]byte(text), &line) != nil {
					t.Fatalf("Envoy logged %s", text)
				}
				delete(line.Auth, "ext_authz_duration") // Envoy's own
				if diff := cmp.Diff(c.want, line.Auth); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	})
}

// logged returns the line of Envoy's access log about a request.
func (g gate) logged(t *testing.T, id string) (line string) {
	t.Helper()
	await(t, 10*time.Second, "Envoy has logged the request "+id, func() bool {
		for text := range strings.Lines(g.Stdout()) {
			if strings.Contains(text, `"request_id":"`+id+`"`) && strings.HasSuffix(text, "\n") {
				line = text
			}
		}
		return line != ""
	})
	return line
}
