package server

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/source"
	"github.com/postern-auth/postern/internal/telemetry"
)

// TestCountRoutes: a route counts once, and is uncovered if one of its rules is.
func TestCountRoutes(t *testing.T) {
	var coverage []policy.Coverage
	for _, c := range []struct {
		kind, namespace, name string
		cover                 policy.Cover
	}{
		{"GRPCRoute", "shop", "a", policy.CoverNone},
		{"HTTPRoute", "lab", "a", policy.CoverNone},
		{"HTTPRoute", "lab", "a", policy.CoverNone},
		{"HTTPRoute", "shop", "a", policy.CoverAttached},
		{"HTTPRoute", "shop", "a", policy.CoverNone},
		{"HTTPRoute", "shop", "a", policy.CoverHost},
		{"HTTPRoute", "shop", "b", policy.CoverHost},
		{"HTTPRoute", "shop", "c", policy.CoverDenied},
	} {
		coverage = append(coverage, policy.Coverage{Route: &v1alpha1.Route{Kind: c.kind, Namespace: c.namespace, Name: c.name}, Cover: c.cover})
	}
	want := []telemetry.RouteCount{
		{Kind: "GRPCRoute", Namespace: "shop", Routes: 1, Uncovered: 1},
		{Kind: "HTTPRoute", Namespace: "lab", Routes: 1, Uncovered: 1},
		{Kind: "HTTPRoute", Namespace: "shop", Routes: 3, Uncovered: 1},
	}
	if diff := cmp.Diff(want, countRoutes(coverage)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLoadCountsRoutes: telemetry is told at each load.
func TestLoadCountsRoutes(t *testing.T) {
	p, err := newParts(config.Default(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	l, err := newLoader(config.Default(), p)
	if err != nil {
		t.Fatal(err)
	}
	r := v1alpha1.Route{
		Kind: "HTTPRoute", Namespace: "shop", Name: "orders",
		Hosts: []string{"orders.test"}, Matches: []v1alpha1.RouteMatch{{Path: &v1alpha1.PathMatch{Prefix: "/"}}},
	}
	got := l.load(source.Snapshot{Routes: []v1alpha1.Route{r}}).summary().Routes
	if diff := cmp.Diff([]telemetry.RouteCount{{Kind: "HTTPRoute", Namespace: "shop", Routes: 1, Uncovered: 1}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLoadRoutesWatched: a route that Envoy names is passed over only where nobody looks for routes.
func TestLoadRoutesWatched(t *testing.T) {
	p, err := newParts(config.Default(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	l, err := newLoader(config.Default(), p)
	if err != nil {
		t.Fatal(err)
	}
	open := v1alpha1.Decode("p.yaml", []byte(`
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: open, namespace: shop}
spec: {hosts: [orders.test], security: [{}]}
`))
	for _, watched := range []bool{false, true} {
		r := &authz.Request{Method: "GET", Host: "orders.test", Path: "/", Route: authz.Route{Host: "orders.test", Path: "/"}}
		r.RouteMetadata = []authz.Field{{Name: "envoy-gateway\x00resources.0.name", Value: "orders"}}
		set := l.load(source.Snapshot{Documents: open, RoutesWatched: watched}).set
		if d := set.Check(t.Context(), r); d.Allowed() == watched {
			t.Errorf("watched %t: %v %v", watched, d.Reason, d.Err)
		}
	}
}
