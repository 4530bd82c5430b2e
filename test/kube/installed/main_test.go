// Package installed runs Postern, installed by its chart, against a real Kubernetes API server.
//
// The chart is installed as users install it. No kubelet runs: tests start `postern serve` themselves, with the chart's
// postern.yaml and the token of the chart's service account, so that everything also proves that its role suffices. They
// ask for decisions as Envoy does, over gRPC.
//
// Most tests share one cluster and one replica, and keep to a namespace and hosts of their own. What stops the API server,
// fills it or needs other values installs for itself.
package installed

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/postern-auth/postern/test/harness"
)

// patience ends tests that hang; it asserts nothing about speed.
const patience = 2 * time.Minute

// world is what tests share.
var world struct {
	root, dir, bin string

	*installation
	replica *replica
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "installed:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctrllog.SetLogger(klog.Background())
	if world.root, err = harness.Root(); err != nil {
		return 1, err
	}
	if world.dir, err = os.MkdirTemp("", "postern-installed-"); err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(world.dir) }()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute) // builds what is not cached yet
	defer cancel()
	if world.bin, err = harness.Build(ctx, world.root, world.dir); err != nil {
		return 1, err
	}
	if world.installation, err = install(ctx, world.dir); err != nil {
		return 1, err
	}
	defer world.Stop()
	if world.replica, err = world.start("shared"); err != nil {
		return 1, err
	}
	defer world.replica.stop()
	if err := world.replica.awaitReady(ctx); err != nil {
		return 1, err
	}
	code = m.Run()
	if line := world.replica.logged("forbidden") + world.replica.logged("panic"); line != "" {
		return 1, fmt.Errorf("the shared replica may not do what it needs, or panics: %s", line)
	}
	return code, nil
}
