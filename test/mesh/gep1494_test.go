//go:build linux

package mesh

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// tryGEP1494 applies the example, which the API server's schema accepts, to a mesh that does not know its filter: the route
// must be refused aloud, and its requests must not get through unchecked. Nobody else asks Postern about it meanwhile.
func (c caller) tryGEP1494(t *testing.T, ctx context.Context, status int) {
	orders := request("GET", "/orders/1", "shop.example.com")
	c.applyFiles(t, ctx, example("gep-1494"))
	c.awaitStatus(t, ctx, "the unknown filter is noticed", orders, status)
	c.try(t, exchange{request: orders, key: "all", status: status})
	var route gatewayv1.HTTPRoute
	c.read(t, ctx, &route, "httproute", "orders", "--namespace", "shop")
	for _, parent := range route.Status.Parents {
		if meta.IsStatusConditionTrue(parent.Conditions, string(gatewayv1.RouteConditionAccepted)) &&
			meta.IsStatusConditionTrue(parent.Conditions, string(gatewayv1.RouteConditionResolvedRefs)) {
			t.Errorf("%s has no objection: is the filter implemented? Then it deserves a test of its own.", parent.ControllerName)
		}
	}
	if len(route.Status.Parents) != 1 {
		t.Errorf("%d controllers report on the route, want 1", len(route.Status.Parents))
	}
	c.applyFiles(t, ctx, example("kubernetes", "routes.yaml"))
	c.awaitStatus(t, ctx, "the route is back", orders, 200)
}
