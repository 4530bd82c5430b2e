package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// target is a server under load.
type target struct {
	*harness.Process
	client *client
}

func (t *target) stop() {
	t.client.close()
	t.Kill()
}

// programs are the binaries to run. They are built when first needed.
type programs struct{ dir, postern, alwaysYes, config string }

func (p *programs) buildPostern(ctx context.Context) error {
	if p.postern != "" {
		return nil
	}
	root, err := harness.Root()
	if err != nil {
		return err
	}
	// A load test signs more requests in five minutes than the default memory of used signatures can hold.
	p.config = filepath.Join(p.dir, "postern.yaml")
	if err := os.WriteFile(p.config, []byte("cache: {replay: 1GiB}\n"), 0o600); err != nil {
		return err
	}
	p.postern, err = harness.Build(ctx, root, p.dir)
	return err
}

func (p *programs) buildAlwaysYes(ctx context.Context) error {
	if p.alwaysYes != "" {
		return nil
	}
	root, err := harness.Root()
	if err != nil {
		return err
	}
	p.alwaysYes = filepath.Join(p.dir, "alwaysyes")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", p.alwaysYes, "./test/load/alwaysyes")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./test/load/alwaysyes: %w\n%s", err, out)
	}
	return nil
}

// startAlwaysYes starts the yardstick with more arguments, and waits until it listens.
func (p *programs) startAlwaysYes(ctx context.Context, more ...string) (*target, error) {
	if err := p.buildAlwaysYes(ctx); err != nil {
		return nil, err
	}
	port, err := harness.FreePort(0)
	if err != nil {
		return nil, err
	}
	address := harness.Loopback(port)
	process, err := harness.Start("alwaysyes", p.alwaysYes, append(more, "-address", address)...)
	if err != nil {
		return nil, err
	}
	err = harness.Await(ctx, "alwaysyes listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return process.Exited()
		}
		return conn.Close() == nil
	})
	if err == nil && process.Exited() {
		err = fmt.Errorf("alwaysyes ended: %s", process.Tail())
	}
	if err != nil {
		process.Kill()
		return nil, err
	}
	return newTarget(process, address)
}

// startPostern starts Postern over a world's resources, waits until it is ready, and returns how long that took.
func (p *programs) startPostern(ctx context.Context, w *world) (*target, time.Duration, error) {
	if err := p.buildPostern(ctx); err != nil {
		return nil, 0, err
	}
	start := time.Now()
	postern, err := harness.StartPostern(ctx, p.postern, w.dir, "--config", cmp.Or(w.config, p.config))
	if err != nil {
		return nil, 0, err
	}
	took := time.Since(start)
	t, err := newTarget(postern.Process, harness.Loopback(postern.Port))
	return t, took, err
}

func newTarget(p *harness.Process, address string) (*target, error) {
	c, err := dial(address)
	if err != nil {
		p.Kill()
		return nil, err
	}
	return &target{p, c}, nil
}
