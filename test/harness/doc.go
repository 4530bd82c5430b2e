// Package harness starts real components for the demo and the end-to-end tests: Postern itself, an unmodified Envoy,
// a Kubernetes API server, and an upstream that remembers what reached it. It also speaks as clients do, down to exact
// bytes.
//
// Envoy, Valkey and PostgreSQL come from pinned wheels, Kubernetes is built from a pinned module, once, into the user's
// cache. Every child process runs in a process group of its own and is ended by its id; everything listens on 127.0.0.1.
// What is waited for is a condition, never time.
package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Root returns the directory of the module that the working directory is in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "postern")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no cmd/postern above the working directory: run this inside the repository")
		}
	}
}

// Build compiles the postern command into dir and returns the binary's path.
func Build(ctx context.Context, root, dir string) (string, error) {
	bin := filepath.Join(dir, "postern")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", bin, "./cmd/postern")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/postern: %w\n%s", err, out)
	}
	return bin, nil
}

// Await returns once done reports true; it asks every few milliseconds until ctx ends.
func Await(ctx context.Context, what string, done func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}
