// Command demo shows Postern behind a real Envoy. It builds Postern, gets Envoy, starts both with the example policies
// of envoy/policies, an embedded database of keys and an upstream that echoes what it receives, sends one request of each
// kind, checks and prints every answer, and stays up for the reader's own requests. With --once (or ONCE=1) it exits
// instead, with 1 if an answer was wrong.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

func main() {
	once := flag.Bool("once", os.Getenv("ONCE") != "", "exit after the requests")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, os.Stdout, *once)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run reports whether every answer was as it should be.
func run(ctx context.Context, out io.Writer, once bool) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "postern-demo-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := start(ctx, out, dir)
	defer s.close()
	if err != nil {
		return false, err
	}
	wrong := 0
	all := slices.Concat(steps, life)
	for _, step := range all {
		if !s.show(ctx, out, step) {
			wrong++
		}
	}
	if wrong > 0 {
		fmt.Fprintf(out, "\n%d of %d answers were wrong.\n%s\n%s", wrong, len(all), s.postern.Tail(), s.envoy.Tail())
	} else {
		fmt.Fprintf(out, "\nAll %d answers are as they should be.\n", len(all))
	}
	if once {
		return wrong == 0, nil
	}
	s.invite(out)
	select {
	case <-ctx.Done():
		return wrong == 0, nil
	case <-s.envoy.Done():
		return false, fmt.Errorf("envoy ended\n%s", s.envoy.Tail())
	case <-s.postern.Done():
		return false, fmt.Errorf("postern ended\n%s", s.postern.Tail())
	}
}

// stage is everything that runs.
type stage struct {
	bin      string
	shop     *harness.Shop
	upstream *harness.Upstream
	postern  *harness.Postern
	envoy    *harness.Envoy
	admin    *harness.Admin
	last     harness.Request   // the request before, for a replay
	ran      []string          // commands that went before it
	keys     map[string]string // keys that commands have printed
}

// start returns what it has started, to be closed, even when it fails.
func start(ctx context.Context, out io.Writer, dir string) (*stage, error) {
	s := &stage{keys: map[string]string{}}
	root, err := harness.Root()
	if err != nil {
		return s, err
	}
	fmt.Fprintln(out, "building postern")
	if s.bin, err = harness.Build(ctx, root, dir); err != nil {
		return s, err
	}
	envoy, err := harness.EnvoyBinary(ctx, root, out)
	if err != nil {
		return s, err
	}
	fmt.Fprintln(out, "starting postern, Envoy and an upstream")
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if s.shop, err = harness.NewShop(ctx, s.bin, root, filepath.Join(dir, "policies")); err != nil {
		return s, err
	}
	if s.admin, err = harness.NewAdmin(ctx, s.bin, dir, ""); err != nil {
		return s, err
	}
	if s.upstream, err = harness.NewUpstream(harness.DefaultUpstream, false); err != nil {
		return s, err
	}
	port, err := harness.FreePort(harness.DefaultPostern)
	if err != nil {
		return s, err
	}
	ops, err := harness.FreePort(harness.DefaultPostern + 2)
	if err != nil {
		return s, err
	}
	if s.postern, err = harness.StartPosternOn(ctx, s.bin, s.shop.Dir, port, ops, "-c", s.admin.Config); err != nil {
		return s, err
	}
	s.envoy, err = harness.StartEnvoy(ctx, harness.EnvoyOptions{
		Binary: envoy, Config: filepath.Join(root, "envoy", "envoy.yaml"), Dir: dir,
		Listener: harness.DefaultListener, Postern: []int{port}, Upstream: s.upstream.Port,
	})
	return s, err
}

func (s *stage) close() {
	if s.envoy != nil && s.envoy.Process != nil {
		s.envoy.Kill()
	}
	if s.postern != nil && s.postern.Process != nil {
		s.postern.Kill()
	}
	if s.upstream != nil {
		s.upstream.Close()
	}
}
