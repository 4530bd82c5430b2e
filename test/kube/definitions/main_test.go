// Package definitions asks a real API server whether the custom resource definitions say what Validate says: what lint
// accepts is accepted, with the same defaults, and what it refuses is refused, as far as a schema and CEL can tell.
package definitions

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "definitions:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if world.root, err = harness.Root(); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "postern-definitions-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute) // builds what is not cached yet
	defer cancel()
	if world.cluster, err = harness.StartCluster(ctx, filepath.Join(dir, "cluster"), os.Stderr); err != nil {
		return 1, err
	}
	defer world.cluster.Stop()
	if err := define(ctx); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// define installs the definitions and waits until objects can be made by them.
func define(ctx context.Context) (err error) {
	files, err := filepath.Glob(filepath.Join(world.root, "helm", "postern", "files", "crds", "*.yaml"))
	if err != nil || len(files) != len(resources) {
		return fmt.Errorf("there are %d definitions, want %d: %w", len(files), len(resources), err)
	}
	manifests := []string{"{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		manifests = append(manifests, string(text))
	}
	if err := world.cluster.Apply(ctx, strings.Join(manifests, "\n---\n")); err != nil {
		return err
	}
	if world.client, err = dynamic.NewForConfig(world.cluster.RESTConfig()); err != nil {
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
