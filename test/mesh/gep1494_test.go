//go:build linux

package mesh

import (
	"context"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// postern reports on routes too: that a policy is attached to them.
const postern = "postern.dev/authz"

// tryGEP1494 applies the example, which the API server's schema accepts, to a mesh that does not know its filter: the route
// must be refused aloud, and its requests must not get through unchecked. Nobody else asks Postern about it meanwhile.
func (c caller) tryGEP1494(t *testing.T, ctx context.Context, status int) {
	orders := request("GET", "/orders/1", "shop.example.com")
	c.applyFiles(t, ctx, example("gep-1494"))
	c.awaitStatus(t, ctx, "the unknown filter is noticed", orders, status)
	c.try(t, exchange{request: orders, key: "all", status: status})
	var route gatewayv1.HTTPRoute
	c.read(t, ctx, &route, "httproute", "orders", "--namespace", "shop")
	i := slices.IndexFunc(route.Status.Parents, func(p gatewayv1.RouteParentStatus) bool {
		return p.ControllerName != postern
	})
	if i < 0 {
		t.Fatal("the mesh says nothing of the route")
	}
	if said := route.Status.Parents[i].Conditions; meta.IsStatusConditionTrue(said, string(gatewayv1.RouteConditionAccepted)) &&
		meta.IsStatusConditionTrue(said, string(gatewayv1.RouteConditionResolvedRefs)) {
		t.Error("the mesh has no objection: is the filter implemented? Then it deserves a test of its own.")
	}
	c.applyFiles(t, ctx, example("kubernetes", "routes.yaml"))
	c.awaitStatus(t, ctx, "the route is back", orders, 200)
}
