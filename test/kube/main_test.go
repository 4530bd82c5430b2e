// Package kube runs Postern against a real Kubernetes API server.
//
// All tests share one cluster and keep to namespaces of their own; what stops the API server or fills it starts a
// cluster for itself.
package kube

import (
	"context"
	"testing"

	"github.com/postern-auth/postern/test/harness"
)

// world is what all tests share.
var world struct {
	cluster *harness.Cluster
}

func TestMain(m *testing.M) {
	harness.MainWithCluster(m, func(ctx context.Context, c *harness.Cluster) error {
		world.cluster = c
		if err := c.InstallDefinitions(ctx); err != nil {
			return err
		}
		return c.InstallGatewayAPI(ctx)
	})
}
