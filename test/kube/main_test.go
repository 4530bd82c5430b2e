// Package kube runs Postern against a real Kubernetes API server.
//
// All tests share one cluster and keep to namespaces of their own; what stops the API server or fills it starts a
// cluster for itself.
package kube

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// world is what all tests share.
var world struct {
	dir     string
	cluster *harness.Cluster
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kube:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if world.dir, err = os.MkdirTemp("", "postern-kube-"); err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(world.dir) }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute) // builds what is not cached yet
	defer cancel()
	if world.cluster, err = harness.StartCluster(ctx, filepath.Join(world.dir, "cluster"), os.Stderr); err != nil {
		return 1, err
	}
	defer world.cluster.Stop()
	if err := installDefinitions(ctx, world.cluster); err != nil {
		return 1, err
	}
	if err := world.cluster.InstallGatewayAPI(ctx); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// installDefinitions applies the custom resource definitions and waits until they are served.
func installDefinitions(ctx context.Context, c *harness.Cluster) error {
	const dir = "../../helm/postern/files/crds"
	if _, err := c.Kubectl(ctx, "apply", "--server-side", "-f", dir); err != nil {
		return err
	}
	_, err := c.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "-f", dir)
	return err
}
