package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// shared is two Posterns that remember in one Valkey, each behind an Envoy of its own.
type shared struct {
	*replicas

	valkey *harness.Valkey
}

// newShared starts everything. The scheme allows clocks to differ by a second only: a new memory cannot tell about
// signatures that could have been made before it.
func newShared(t *testing.T) *shared {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	binary, err := harness.ValkeyBinary(ctx, world.root, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	password := rand.Text()
	w := &shared{replicas: &replicas{own: &own{}}}
	if w.valkey, err = harness.StartValkey(ctx, binary, dir, "--requirepass", password); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.valkey.Kill() })
	if w.shop, err = harness.NewShop(ctx, world.bin, world.root, filepath.Join(dir, "policies")); err != nil {
		t.Fatal(err)
	}
	const profile = "    profile: rfc9421\n"
	w.replace(t, "schemes.yaml", profile, profile+"    clockSkew: 1s\n")
	config := filepath.Join(dir, "postern.yaml")
	for path, text := range map[string]string{
		filepath.Join(dir, "redis.password"): password + "\n",
		config:                               fmt.Sprintf("redis: {address: %q, passwordFile: redis.password}\n", w.valkey.Address),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.start(ctx, t, dir, func(int) []string { return []string{"-c", config} })
	return w
}

// sign signs a request of its own.
func (w *shared) sign() harness.Request { return w.shop.Signer().Sign(report()) }

// awaitFresh waits until a replica accepts signatures that are made now.
func (w *shared) awaitFresh(t *testing.T, replica int) {
	t.Helper()
	await(t, 20*time.Second, "a fresh signature is accepted", func() bool { return w.send(t, replica, w.sign()) == 200 })
}

// TestSharedMemory replays a request past each thing that could have forgotten it: another replica, a new process, and
// a Redis that is gone, hung or empty.
func TestSharedMemory(t *testing.T) {
	w := newShared(t)
	w.awaitFresh(t, 0)

	accepted := w.sign()
	w.wants(t, "the original", 0, accepted, 200)
	w.wants(t, "through the same replica", 0, accepted, 401)
	w.wants(t, "through another replica", 1, accepted, 401)

	w.posterns[0].Kill()
	w.restart(t, 0)
	w.wants(t, "after kill -9 of Postern", 0, accepted, 401)

	t.Run("hung", func(t *testing.T) { w.hang(t, accepted) })
	t.Run("killed", func(t *testing.T) { w.kill(t, accepted) })
}

// hang stops Redis for a while. Nothing is forgotten.
func (w *shared) hang(t *testing.T, accepted harness.Request) {
	if err := w.valkey.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for replica, p := range w.posterns {
		unavailable := func() float64 { return metric(t, p, "postern_decisions_total", `reason="replay_unavailable"`) }
		before := unavailable()
		w.wants(t, "a replay", replica, accepted, 503)
		w.wants(t, "a fresh signature", replica, w.sign(), 503)
		if n := unavailable() - before; n != 2 { // and not because the check's own deadline came first
			t.Errorf("replica %d: %v decisions for want of Redis", replica, n)
		}
	}
	if err := w.valkey.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.awaitFresh(t, 0)
	w.awaitFresh(t, 1)
	w.wants(t, "a replay afterwards", 1, accepted, 401)
}

// kill ends Redis and starts it again, empty.
func (w *shared) kill(t *testing.T, accepted harness.Request) {
	w.valkey.Kill()
	wrong := w.sign()
	edit(&wrong, "X-Extra", "altered")
	swap(&wrong, "Signature", "sig1=:", "sig1=:AAAA")
	for replica, p := range w.posterns {
		w.wants(t, "a replay", replica, accepted, 503)
		w.wants(t, "a fresh signature", replica, w.sign(), 503)
		w.wants(t, "a wrong signature, about which Redis is not asked", replica, wrong, 401)
		await(t, 10*time.Second, "Postern says that it is degraded", func() bool {
			text, err := harness.Fetch(t.Context(), p.Ops+"/readyz")
			return err == nil && strings.Contains(text, `"component":"redis"`)
		})
	}
	if err := w.valkey.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for replica, p := range w.posterns {
		await(t, 10*time.Second, "Postern is not degraded", func() bool { return metric(t, p, "postern_degraded") == 0 })
		w.wants(t, "a replay, which an empty memory cannot tell", replica, accepted, 503)
	}
	w.awaitFresh(t, 1)
	again := w.sign()
	w.wants(t, "a fresh signature", 0, again, 200)
	w.wants(t, "and once more", 1, again, 401)
	w.wants(t, "a replay, still", 0, accepted, 503)
}
