package kube

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// patience ends tests that hang; it asserts nothing about speed.
const patience = 2 * time.Minute

// ownCluster starts a cluster for one test.
func ownCluster(ctx context.Context, t *testing.T) *harness.Cluster {
	t.Helper()
	c, err := harness.StartCluster(ctx, t.TempDir(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c
}

// TestAPIServerRestart: a killed API server comes back with its objects, and the same kubeconfig speaks to it.
func TestAPIServerRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := ownCluster(ctx, t)
	if err := c.Apply(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: kept}\n"); err != nil {
		t.Fatal(err)
	}
	c.APIServer.Kill()
	if out, err := c.Kubectl(ctx, "get", "namespace", "kept", "-o", "name"); err == nil {
		t.Fatalf("a dead API server answers %s", out)
	}
	if err := c.RestartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	if out, err := c.Kubectl(ctx, "get", "namespace", "kept", "-o", "name"); err != nil || out != "namespace/kept\n" {
		t.Errorf("after the restart: %s %v", out, err)
	}
}

// TestServiceAccountMayNothing: RBAC counts. A service account that nobody bound to a role is known, and refused.
func TestServiceAccountMayNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := world.cluster
	if _, err := c.Kubectl(ctx, "create", "serviceaccount", "stranger"); err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := c.ServiceAccountKubeconfig(ctx, "default", "stranger")
	if err != nil {
		t.Fatal(err)
	}
	who, err := c.Kubectl(ctx, "--kubeconfig", kubeconfig, "auth", "whoami")
	if err != nil || !strings.Contains(who, "system:serviceaccount:default:stranger") {
		t.Errorf("it is %s (%v)", who, err)
	}
	out, err := c.Kubectl(ctx, "--kubeconfig", kubeconfig, "get", "secrets")
	if err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("it may read secrets: %s (%v)", out, err)
	}
}
