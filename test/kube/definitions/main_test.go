// Package definitions asks a real API server whether the custom resource definitions say what Validate says: what lint
// accepts is accepted, with the same defaults, and what it refuses is refused, as far as a schema and CEL can tell.
package definitions

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/test/harness"
)

// patience ends tests that hang; it asserts nothing about speed.
const patience = 2 * time.Minute

// world is what all tests share: a cluster that knows the kinds, and the namespaces shop and default.
var world struct {
	root    string
	cluster *harness.Cluster
	client  *dynamic.DynamicClient
}

func TestMain(m *testing.M) { harness.MainWithCluster(m, define) }

// define installs the definitions and waits until objects can be made by them.
func define(ctx context.Context, c *harness.Cluster) (err error) {
	world.cluster = c
	if world.root, err = harness.Root(); err != nil {
		return err
	}
	if err := c.InstallDefinitions(ctx); err != nil {
		return err
	}
	if err := c.Apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"); err != nil {
		return err
	}
	if world.client, err = dynamic.NewForConfig(c.RESTConfig()); err != nil {
		return err
	}
	return harness.Await(ctx, "the API server serves the kinds", func() bool {
		for _, resource := range resources {
			if _, err := world.client.Resource(v1alpha1.GroupVersion().WithResource(resource)).List(ctx, metav1.ListOptions{}); err != nil {
				return false
			}
		}
		return true
	})
}
