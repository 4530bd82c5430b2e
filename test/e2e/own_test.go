package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// own is a world of a single test, which may break things in it.
type own struct {
	shop     *harness.Shop
	upstream *harness.Upstream
	posterns []*harness.Postern
	*harness.Envoy
}

// newOwn starts the named Envoy over as many Posterns as asked for.
func newOwn(t *testing.T, config string, posterns int) *own {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	w := &own{}
	var err error
	if w.shop, err = harness.NewShop(ctx, world.bin, world.root, filepath.Join(dir, "policies")); err != nil {
		t.Fatal(err)
	}
	if w.upstream, err = harness.NewUpstream(0, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.upstream.Close)
	var ports []int
	for range posterns {
		ports = append(ports, w.startPostern(ctx, t).Port)
	}
	if w.Envoy, err = startEnvoy(ctx, dir, config, w.upstream.Port, ports...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			w.logStats(t)
		}
		w.Kill()
	})
	return w
}

// startPostern starts one more, with more arguments if there are any.
func (w *own) startPostern(ctx context.Context, t *testing.T, arguments ...string) *harness.Postern {
	t.Helper()
	p, err := harness.StartPostern(ctx, world.bin, w.shop.Dir, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Log(p.Tail())
		}
	})
	w.posterns = append(w.posterns, p)
	return p
}

// eachOwn runs a test in a world of its own behind either Envoy.
func eachOwn(t *testing.T, test func(t *testing.T, w *own)) {
	t.Helper()
	for _, config := range []string{"recommended", "naive"} {
		t.Run(config, func(t *testing.T) { test(t, newOwn(t, config, 1)) })
	}
}

// logStats tells what became of Envoy's checks.
func (w *own) logStats(t *testing.T) {
	t.Helper()
	for _, name := range []string{"upstream_rq_total", "upstream_rq_timeout", "upstream_rq_pending_failure_eject", "upstream_cx_connect_fail"} {
		n, err := w.Stat(context.Background(), "cluster.postern."+name)
		t.Logf("envoy: cluster.postern.%s: %d (%v)", name, n, err)
	}
}

// status sends a request with an API key and returns the status.
func (w *own) status(t *testing.T, key string) int {
	t.Helper()
	a, err := bearer("X-API-Key: "+key).Send(t.Context(), w.Address)
	if err != nil {
		t.Fatal(err)
	}
	return a.Status
}

// replace rewrites a resource file the way editors do: a new file takes the name of the old one.
func (w *own) replace(t *testing.T, name, old, replacement string) {
	t.Helper()
	path := filepath.Join(w.shop.Dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s does not contain %q", name, old)
	}
	w.write(t, name, strings.Replace(string(text), old, replacement, 1))
}

func (w *own) write(t *testing.T, name, text string) {
	t.Helper()
	tmp := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(w.shop.Dir, name)); err != nil {
		t.Fatal(err)
	}
}

// metric returns the sum of a metric's samples whose line contains every part.
func metric(t *testing.T, p *harness.Postern, parts ...string) float64 {
	t.Helper()
	text, err := harness.Fetch(t.Context(), p.Ops+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
lines:
	for line := range strings.Lines(text) {
		for _, part := range parts {
			if strings.HasPrefix(line, "#") || !strings.Contains(line, part) {
				continue lines
			}
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(strings.TrimSpace(line), ' '):]), 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		sum += value
	}
	return sum
}

// await fails the test if the condition does not come true in time.
func await(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := harness.Await(ctx, what, done); err != nil {
		t.Fatal(err)
	}
}
