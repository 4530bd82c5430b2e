package replay

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// watched is a Redis that is watched until the test ends.
type watched struct {
	*Redis

	log  harness.Output
	well atomic.Bool
	last atomic.Value // text of the last error
}

func (v *valkey) watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{}
	w.Redis = v.open(t, func(o *RedisOptions) { o.Log = slog.New(slog.NewTextHandler(&w.log, nil)) })
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		w.Watch(ctx, func(err error) {
			if err != nil {
				w.last.Store(err.Error())
			}
			w.well.Store(err == nil)
		})
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return w
}

func (w *watched) says(text string) func() bool {
	return func() bool { return strings.Contains(w.log.String(), text) }
}

// TestWatch: a new memory begins before anybody asks, again after a restart, and each change is told once.
func TestWatch(t *testing.T) {
	v := startValkey(t)
	w := v.watch(t)
	await(t, "the memory begins", func() bool { return v.do(t, "EXISTS", markerKey) == "1" })
	await(t, "it is well", w.well.Load)
	await(t, "it says that it is new", w.says(`level=WARN msg="the memory in Redis is new`))
	v.Kill()
	await(t, "it is noticed", func() bool { return !w.well.Load() })
	if why := w.last.Load().(string); !strings.Contains(why, "Redis cannot be asked") {
		t.Error(why)
	}
	if err := v.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "it is well again", w.well.Load)
	if v.do(t, "EXISTS", markerKey) != "1" {
		t.Error("well, without a marker")
	}
	text := w.log.String()
	for text, want := range map[string]int{
		"level=ERROR": 1, "Redis answers again": 1, "memory in Redis is new": 2, "maxmemory-policy": 0,
	} {
		if n := strings.Count(w.log.String(), text); n != want {
			t.Errorf("%q was said %d times, want %d", text, n, want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestWatchOld: a memory that was there before is no cause for alarm.
func TestWatchOld(t *testing.T) {
	v := startValkey(t)
	v.openAged(t)
	w := v.watch(t)
	await(t, "it says so", w.says("Redis remembers accepted signatures"))
	if strings.Contains(w.log.String(), "WARN") {
		t.Error(w.log.String())
	}
}

// TestWatchEvicts warns of a Redis that may evict, and has the memory begin anew once it has.
func TestWatchEvicts(t *testing.T) {
	v := startValkey(t, "--maxmemory-policy", "volatile-lru")
	v.openAged(t)
	w := v.watch(t)
	await(t, "it warns", w.says("maxmemory-policy=volatile-lru"))
	if first, err := ask(w, 1); !first || err != nil {
		t.Fatal(first, err)
	}
	v.do(t, "CONFIG", "SET", "maxmemory", "1")
	_ = v.admin.Set(context.Background(), "filler", "x", time.Hour).Err() // makes room, in vain
	v.do(t, "CONFIG", "SET", "maxmemory", "0")
	await(t, "the memory begins anew", w.says("the memory in Redis is new"))
	if first, err := ask(w, 1); first || err == nil {
		t.Errorf("what was evicted: %v, %v", first, err)
	}
}
