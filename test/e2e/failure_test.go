package e2e

import (
	"context"
	"syscall"
	"testing"
	"time"
)

// TestKilled: without Postern the recommended Envoy lets nothing through. The naive one lets everything through, which
// is what failure_mode_allow asks for and why it is not recommended. Both are guarded again once Postern is back.
func TestKilled(t *testing.T) {
	for config, without := range map[string]int{"recommended": 503, "naive": 200} {
		t.Run(config, func(t *testing.T) {
			w := newOwn(t, config, 1)
			if got := w.status(t, "wrong"); got != 401 {
				t.Fatalf("before: %d", got)
			}
			w.posterns[0].Kill()
			hits := w.upstream.Hits()
			if got := w.status(t, "wrong"); got != without {
				t.Errorf("without Postern: %d, want %d", got, without)
			}
			if without != 200 && w.upstream.Hits() != hits {
				t.Error("the upstream saw a request that nobody checked")
			}
			if err := w.posterns[0].Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			await(t, 10*time.Second, "Envoy is guarded again", func() bool { return w.status(t, "wrong") == 401 })
			if got := w.status(t, w.shop.Key); got != 200 {
				t.Errorf("a good key afterwards: %d", got)
			}
		})
	}
}

// TestHung: a Postern that does not answer is no answer.
func TestHung(t *testing.T) {
	w := newOwn(t, "recommended", 1)
	if got := w.status(t, w.shop.Key); got != 200 {
		t.Fatalf("before: %d", got)
	}
	if err := w.posterns[0].Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	await(t, 10*time.Second, "it has stopped", func() bool { return w.status(t, w.shop.Key) == 503 })
	hits := w.upstream.Hits()
	if got := w.status(t, w.shop.Key); got != 503 || w.upstream.Hits() != hits {
		t.Errorf("hung: %d, and the upstream saw %d requests that nobody checked", got, w.upstream.Hits()-hits)
	}
	if err := w.posterns[0].Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	await(t, 10*time.Second, "Postern answers again", func() bool { return w.status(t, w.shop.Key) == 200 })
}

// TestRestartUnderLoad: while the only Postern is killed and started again nobody gets a wrong answer: a good request
// passes or meets a 503, a bad one never passes.
func TestRestartUnderLoad(t *testing.T) {
	w := newOwn(t, "recommended", 1)
	load := startTraffic(t, w.Address,
		call{"/orders/1", [2]string{"X-API-Key", w.shop.Key}, []int{200, 503}},
		call{"/orders/1", [2]string{"X-API-Key", "wrong"}, []int{401, 503}},
	)
	load.more(t, 200)
	for range 3 {
		w.posterns[0].Kill()
		load.more(t, 50)
		if err := w.posterns[0].Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, 10*time.Second, "good requests pass again", func() bool { return w.status(t, w.shop.Key) == 200 })
		load.more(t, 200)
	}
	wrong := load.stop()
	if len(wrong) > 0 {
		t.Errorf("%d wrong answers, such as %s", len(wrong), wrong[0])
	}
}

// TestTerminatedUnderLoad: of two Posterns one is asked to end, is replaced, then the other. Nobody notices.
func TestTerminatedUnderLoad(t *testing.T) {
	w := newOwn(t, "recommended", 2)
	load := startTraffic(t, w.Address,
		call{"/orders/1", [2]string{"X-API-Key", w.shop.Key}, []int{200}},
		call{"/orders/1", [2]string{"X-API-Key", "wrong"}, []int{401}},
	)
	load.more(t, 500)
	for i, p := range w.posterns {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := p.Stop(ctx)
		cancel()
		if err != nil || p.ExitCode() != 0 {
			t.Errorf("postern %d ended with %v, exit code %d", i, err, p.ExitCode())
		}
		load.more(t, 500)
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, 10*time.Second, "the new one is asked", func() bool {
			return metric(t, p, "postern_decisions_total") > 0
		})
	}
	load.finish(t, w.upstream.Hits)
}
