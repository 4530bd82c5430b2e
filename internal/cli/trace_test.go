package cli

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/policy"
)

// check says through which route the policy was found, and who named it.
func TestPrintTraceOfRoute(t *testing.T) {
	for match, want := range map[string]string{
		"prefix /orders": "  route    HTTPRoute shop/orders rule 0 (read), by prefix /orders\n",
		"":               "  route    HTTPRoute shop/orders rule 0 (read), named by Envoy\n",
	} {
		var b strings.Builder
		d := authz.Deny(authz.ReasonNoPolicy, nil)
		trace := &policy.Trace{
			Method: "GET", Host: "a.test", Path: "/orders", FoundBy: "route", Policy: "shop/p",
			Route: "HTTPRoute shop/orders rule 0 (read)", RouteMatch: match,
		}
		if err := printTrace(&b, &d, trace, ""); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) || !strings.Contains(b.String(), "  policy   shop/p, found by route\n") {
			t.Errorf("want %q in\n%s", want, b.String())
		}
	}
}
