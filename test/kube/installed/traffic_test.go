package installed

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/postern-auth/postern/test/harness"
)

// traffic asks replicas the same again and again and remembers wrong answers.
type traffic struct {
	cancel context.CancelFunc
	all    sync.WaitGroup
	asked  atomic.Int64

	mu    sync.Mutex
	wrong []string
}

// startTraffic asks each replica for requests that must be answered as given, until stop.
func startTraffic(ctx context.Context, replicas []*replica, answers map[int]harness.Request) *traffic {
	ctx, cancel := context.WithCancel(ctx)
	t := &traffic{cancel: cancel}
	for _, r := range replicas {
		for want, request := range answers {
			t.all.Go(func() {
				for ctx.Err() == nil {
					got, err := r.ask(ctx, request)
					if ctx.Err() != nil {
						return
					}
					if t.asked.Add(1); err != nil || got != want {
						t.mu.Lock()
						t.wrong = append(t.wrong, fmt.Sprintf("%s: %d (%v), want %d", r.name, got, err, want))
						t.mu.Unlock()
					}
				}
			})
		}
	}
	return t
}

// more waits until that many more checks have been answered.
func (t *traffic) more(ctx context.Context, test *testing.T, n int64) {
	test.Helper()
	goal := t.asked.Load() + n
	if err := harness.Await(ctx, fmt.Sprintf("%d more checks are answered", n), func() bool { return t.asked.Load() >= goal }); err != nil {
		test.Fatal(err)
	}
}

// stop ends the traffic and reports wrong answers.
func (t *traffic) stop(test *testing.T) {
	test.Helper()
	t.cancel()
	t.all.Wait()
	test.Logf("%d checks", t.asked.Load())
	if len(t.wrong) > 0 {
		test.Errorf("%d of %d answers were wrong, such as %s", len(t.wrong), t.asked.Load(), t.wrong[0])
	}
}
