package harness

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// MainWithCluster is the TestMain of a package whose tests share a cluster: it starts one, has it prepared, runs the tests,
// stops it and exits. The context of prepare ends with the tests.
func MainWithCluster(tests interface{ Run() int }, prepare func(context.Context, *Cluster) error) {
	flag.Parse()
	code, err := withCluster(tests.Run, prepare)
	if err != nil {
		fmt.Fprintln(os.Stderr, "before the tests:", err)
		code = 1
	}
	os.Exit(code)
}

func withCluster(run func() int, prepare func(context.Context, *Cluster) error) (int, error) {
	dir, err := os.MkdirTemp("", "postern-cluster-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute) // builds what is not cached yet
	defer cancel()
	c, err := StartCluster(ctx, filepath.Join(dir, "cluster"), os.Stderr)
	if err != nil {
		return 1, err
	}
	defer c.Stop()
	if err := prepare(ctx, c); err != nil {
		return 1, err
	}
	return run(), nil
}
