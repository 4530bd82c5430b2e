//go:build linux

package mesh

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// programs are the paths of what the tests run.
var programs struct {
	root                            string // of this repository
	postern, envoy, istiod, gateway string
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mesh:", err)
		code = 1
	}
	os.Exit(code)
}

// run prepares everything that needs a network, then runs this program again where there is none, and there the tests.
func run(m *testing.M) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour) // what building may take
	defer cancel()
	var err error
	if programs.root, err = harness.Root(); err != nil {
		return 1, err
	}
	if dir := os.Getenv(isolated); dir != "" {
		programs.postern = filepath.Join(dir, "postern")
		if err := errors.Join(connect(), findPrograms(ctx, io.Discard)); err != nil {
			return 1, err
		}
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "postern-mesh-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if _, err := harness.Build(ctx, programs.root, dir); err != nil {
		return 1, err
	}
	if err := errors.Join(harness.PrepareCluster(ctx, os.Stderr), findPrograms(ctx, os.Stderr)); err != nil {
		return 1, err
	}
	return isolate(dir)
}

// findPrograms makes those that are not in the user's cache yet.
func findPrograms(ctx context.Context, progress io.Writer) error {
	var err error
	if programs.envoy, err = harness.EnvoyBinary(ctx, programs.root, progress); err != nil {
		return err
	}
	if programs.istiod, err = harness.Istiod(ctx, progress); err != nil {
		return err
	}
	programs.gateway, err = harness.EnvoyGateway(ctx, progress)
	return err
}
