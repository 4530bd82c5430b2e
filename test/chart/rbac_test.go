package chart

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPermissions installs the chart and asks the API server what its ServiceAccount may do.
func TestPermissions(t *testing.T) {
	for _, tt := range []struct {
		values    string
		everybody bool // it may read Secrets of namespaces that nobody listed
	}{{"default.yaml", true}, {"namespaces.yaml", false}} {
		t.Run(tt.values, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			c := world.cluster
			if _, err := c.Helm(ctx, "install", "postern", world.chart, "--namespace", namespace, "--values",
				filepath.Join("testdata", "values", tt.values)); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if _, err := c.Helm(context.WithoutCancel(ctx), "uninstall", "postern", "--namespace", namespace); err != nil {
					t.Error(err)
				}
			}()
			for _, q := range []struct {
				may bool
				ask string
			}{
				{true, "list secrets -n shop"},
				{true, "watch secrets -n shared"},
				{tt.everybody, "list secrets -n kube-system"},
				{tt.everybody, "list secrets -A"},
				{true, "list authpolicies.postern.dev -n shop"},
				{tt.everybody, "list authpolicies.postern.dev -A"},
				{true, "patch authpolicies.postern.dev --subresource=status -n billing"},
				{true, "create events.events.k8s.io -n shop"},
				{true, "update leases.coordination.k8s.io -n " + namespace},
				{tt.everybody, "watch namespaces"}, // Gateways may select them by label; the values without switch that off
				{tt.everybody, "patch httproutes.gateway.networking.k8s.io --subresource=status -n shop"},
				{false, "patch httproutes.gateway.networking.k8s.io -n shop"},
				{false, "update authpolicies.postern.dev -n shop"},
				{false, "delete authpolicies.postern.dev -n shop"},
				{false, "update leases.coordination.k8s.io -n kube-system"},
				{false, "create secrets -n shop"},
				{false, "list configmaps -n shop"},
				{false, "list pods -n " + namespace},
				{false, "get nodes"},
			} {
				if may := canI(ctx, t, "system:serviceaccount:"+namespace+":postern", q.ask); may != q.may {
					t.Errorf("it may %s: %v, want %v", q.ask, may, q.may)
				}
			}
		})
	}
}

// canI asks the API server's authorizer on behalf of a user.
func canI(ctx context.Context, t *testing.T, user, ask string) bool {
	t.Helper()
	out, err := world.cluster.Kubectl(ctx, append([]string{"auth", "can-i", "--as", user}, strings.Fields(ask)...)...)
	switch answer := strings.TrimSpace(out); answer {
	case "yes", "no":
		return answer == "yes"
	default:
		t.Fatalf("can-i %s: %q %v", ask, out, err)
		return false
	}
}
