package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// replicas are two Posterns with the same policies in front of one upstream, the first behind the recommended Envoy, the
// other behind the naive one.
type replicas struct {
	*own

	envoys []*harness.Envoy
}

// start starts everything. What is given is more arguments for each replica.
func (w *replicas) start(ctx context.Context, t *testing.T, dir string, arguments func(replica int) []string) {
	t.Helper()
	var err error
	if w.upstream, err = harness.NewUpstream(0, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.upstream.Close)
	for replica, config := range []string{"recommended", "naive"} {
		p := w.startPostern(ctx, t, arguments(replica)...)
		e, err := startEnvoy(ctx, dir, config, w.upstream.Port, p.Port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Kill)
		w.envoys = append(w.envoys, e)
	}
}

// exchange sends a request through one of the replicas. Only what was let through may have reached the upstream.
func (w *replicas) exchange(t *testing.T, replica int, r harness.Request) harness.Answer {
	t.Helper()
	hits := w.upstream.Hits()
	a, err := r.Send(t.Context(), w.envoys[replica].Address)
	if err != nil {
		t.Fatal(err)
	}
	reached := w.upstream.Hits() - hits
	if a.Status == http.StatusOK && reached != 1 || a.Status != http.StatusOK && reached != 0 {
		t.Errorf("replica %d: %d, and %d requests reached the upstream", replica, a.Status, reached)
	}
	if a.Status != http.StatusOK && a.Headers.Get("Content-Type") != "application/problem+json" {
		t.Errorf("replica %d: %d is not Postern's answer: %s", replica, a.Status, a.Body)
	}
	return a
}

// send is exchange for the status alone.
func (w *replicas) send(t *testing.T, replica int, r harness.Request) int {
	t.Helper()
	return w.exchange(t, replica, r).Status
}

// wants sends a request through one of the replicas and asserts the status.
func (w *replicas) wants(t *testing.T, what string, replica int, r harness.Request, want int) {
	t.Helper()
	if got := w.send(t, replica, r); got != want {
		t.Errorf("%s: %d, want %d", what, got, want)
	}
}

// restart starts a replica again that has ended, and waits until its Envoy asks it.
func (w *replicas) restart(t *testing.T, replica int) {
	t.Helper()
	if err := w.posterns[replica].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, 10*time.Second, "Envoy is guarded again", func() bool {
		a, err := report().Send(t.Context(), w.envoys[replica].Address)
		return err == nil && a.Status == http.StatusUnauthorized
	})
}
