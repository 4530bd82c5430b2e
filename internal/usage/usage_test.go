package usage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/authz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// book is where counts are kept.
type book struct {
	mu    sync.Mutex
	rows  map[string]uint64 // by "key day"
	last  map[string]time.Time
	sizes []int
	fail  error
}

func newBook() *book { return &book{rows: map[string]uint64{}, last: map[string]time.Time{}} }

func (b *book) flush(_ context.Context, counts []Count) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	b.sizes = append(b.sizes, len(counts))
	seen := map[string]bool{}
	for i, c := range counts {
		row := c.KeyID + " " + c.Day.Format("01-02")
		if seen[row] {
			return fmt.Errorf("%s comes twice in a batch", row)
		}
		seen[row] = true
		if i > 0 && counts[i-1].KeyID > c.KeyID {
			return fmt.Errorf("%s comes after %s", c.KeyID, counts[i-1].KeyID)
		}
		b.rows[row] += c.Requests
		if c.LastUsed.After(b.last[row]) {
			b.last[row] = c.LastUsed
		}
	}
	return nil
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestCounts(t *testing.T) {
	b := newBook()
	c := New(Options{Flush: b.flush})
	midnight := noon.Add(12 * time.Hour)
	for _, use := range []struct {
		key string
		at  time.Time
	}{
		{"a", noon}, {"a", noon.Add(time.Second)}, {"b", noon}, {"a", noon.Add(-time.Second)},
		{"a", midnight.Add(-time.Nanosecond)}, {"a", midnight}, {"b", midnight.In(time.FixedZone("", 3600))},
	} {
		c.Add(use.key, use.at)
	}
	c.flush(t.Context())
	c.Add("a", midnight.Add(time.Second))
	c.flush(t.Context())
	want := map[string]uint64{"a 11-22": 4, "b 11-22": 1, "a 11-23": 2, "b 11-23": 1}
	if diff := cmp.Diff(want, b.rows); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	wantLast := map[string]time.Time{
		"a 11-22": midnight.Add(-time.Second), "b 11-22": noon, "a 11-23": midnight.Add(time.Second), "b 11-23": midnight,
	}
	if diff := cmp.Diff(wantLast, b.last); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestIdsAreCloned counts under an id whose memory is then reused.
func TestIdsAreCloned(t *testing.T) {
	b := newBook()
	c := New(Options{Flush: b.flush})
	var one, two aliased
	c.Add(one.is("shop/a/k"), noon)
	one.is("shop/b/k")
	c.Add(two.is("shop/a/k"), noon)
	two.is("shop/c/k")
	c.flush(t.Context())
	if diff := cmp.Diff(map[string]uint64{"shop/a/k 11-22": 2}, b.rows); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestFailedFlushesAreKept(t *testing.T) {
	b := newBook()
	c := New(Options{Flush: b.flush})
	b.fail = errors.New("down")
	for range 3 {
		c.Add("a", noon)
		c.flush(t.Context())
	}
	if got := c.Stats(); got.Pending != 1 || got.Failures != 3 || got.Written != 0 {
		t.Errorf("%+v", got)
	}
	b.fail = nil
	c.Add("a", noon.Add(24*time.Hour))
	c.flush(t.Context())
	if diff := cmp.Diff(map[string]uint64{"a 11-22": 3, "a 11-23": 1}, b.rows); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := c.Stats(); got.Pending != 0 || got.Written != 2 {
		t.Errorf("%+v", got)
	}
}

func TestBatches(t *testing.T) {
	b := newBook()
	c := New(Options{Flush: b.flush})
	for i := range 2*batch + 1 {
		c.Add(strconv.Itoa(i), noon)
	}
	c.flush(t.Context())
	if diff := cmp.Diff([]int{batch, batch, 1}, b.sizes); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if len(b.rows) != 2*batch+1 {
		t.Errorf("%d rows", len(b.rows))
	}
}

// TestBounded uses more keys than there is room for, while nothing can be written and after.
func TestBounded(t *testing.T) {
	b := newBook()
	b.fail = errors.New("down")
	c := New(Options{Flush: b.flush, MaxKeys: 10})
	use := func(from, to int) {
		for i := from; i < to; i++ {
			c.Add(strconv.Itoa(i), noon)
		}
	}
	use(0, 15)
	if got := c.Stats(); got.Keys != 10 || got.Lost != 5 {
		t.Errorf("%+v", got)
	}
	c.flush(t.Context())
	c.flush(t.Context()) // nobody used them since: there is room for others, but not where counts wait
	if got := c.Stats(); got.Keys != 0 || got.Pending != 10 {
		t.Errorf("%+v", got)
	}
	use(10, 15)
	use(0, 1)
	c.flush(t.Context())
	if got := c.Stats(); got.Pending != 10 || got.Lost != 10 {
		t.Errorf("%+v", got)
	}
	b.fail = nil
	c.flush(t.Context())
	use(10, 15)
	c.flush(t.Context())
	if got := c.Stats(); got.Pending != 0 || got.Lost != 10 || len(b.rows) != 15 || b.rows["0 11-22"] != 2 {
		t.Errorf("%+v, %d rows", got, len(b.rows))
	}
}

func TestRunFlushesAtTheEnd(t *testing.T) {
	b := newBook()
	c := New(Options{Flush: b.flush, Interval: time.Hour})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	c.Add("a", noon)
	stop()
	<-ended
	if b.rows["a 11-22"] != 1 {
		t.Errorf("%v", b.rows)
	}
}

func TestRunFlushesNowAndThen(t *testing.T) {
	flushed := make(chan []Count)
	c := New(Options{Interval: time.Millisecond, Flush: func(_ context.Context, counts []Count) error {
		flushed <- counts
		return nil
	}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	for range 2 {
		c.Add("a", noon)
		if got := <-flushed; len(got) != 1 || got[0].Requests != 1 {
			t.Errorf("%v", got)
		}
	}
	stop()
	<-ended
}

// TestNothingIsLost counts from many goroutines while keys come, leave and are flushed.
func TestNothingIsLost(t *testing.T) {
	b := newBook()
	c := New(Options{Flush: b.flush})
	const goroutines, rounds, keys = 8, 20_000, 3000
	var running atomic.Int64
	running.Store(goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			defer running.Add(-1)
			for i := range rounds {
				c.Add("key "+strconv.Itoa((i/7*13+g)%keys), noon)
			}
		})
	}
	for running.Load() > 0 {
		c.flush(t.Context())
	}
	wg.Wait()
	c.flush(t.Context())
	c.flush(t.Context()) // of keys that had left
	var sum uint64
	for n := range maps.Values(b.rows) {
		sum += n
	}
	if sum != goroutines*rounds {
		t.Errorf("%d of %d", sum, goroutines*rounds)
	}
	c.flush(t.Context())
	if got := c.Stats(); got.Keys != 0 || got.Pending != 0 || got.Lost != 0 {
		t.Errorf("%+v", got)
	}
}

// TestLikeAMap holds the Counter to a map that counts.
func TestLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBook()
		c := New(Options{Flush: b.flush})
		want := map[string]uint64{}
		for _, step := range rapid.SliceOf(rapid.IntRange(-5, 200)).Draw(t, "steps") {
			if step < 0 {
				c.flush(context.Background())
				continue
			}
			c.Add(strconv.Itoa(step), noon)
			want[strconv.Itoa(step)+" 11-22"]++
		}
		c.flush(context.Background())
		if diff := cmp.Diff(want, b.rows); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
	})
}

type decided struct{ authz.Decision }

func (d decided) Check(context.Context, *authz.Request) authz.Decision { return d.Decision }

func TestWhatCounts(t *testing.T) {
	key := &authz.Principal{KeyID: "shop/acme/k"}
	allow := func(reason authz.Reason, p *authz.Principal) authz.Decision {
		d := authz.Allow(reason, authz.Mutation{})
		d.Principal = p
		return d
	}
	denied := authz.Deny(authz.ReasonMissingScope, nil)
	denied.Principal = key
	for name, tt := range map[string]struct {
		d    authz.Decision
		want uint64
	}{
		"allowed":                      {allow(authz.ReasonAuthenticated, key), 1},
		"allowed by a shadow policy":   {allow(authz.ReasonMissingScope, key), 1},
		"denied":                       {denied, 0},
		"anonymous":                    {allow(authz.ReasonAnonymous, nil), 0},
		"allowed by something no key":  {allow(authz.ReasonAuthenticated, &authz.Principal{Subject: "u"}), 0},
		"the zero decision of nothing": {authz.Decision{}, 0},
	} {
		b := newBook()
		c := New(Options{Flush: b.flush})
		got := c.Checker(decided{tt.d}).Check(t.Context(), &authz.Request{Now: noon})
		if got.Reason != tt.d.Reason || got.Allowed() != tt.d.Allowed() {
			t.Errorf("%s: the decision was changed", name)
		}
		c.flush(t.Context())
		if n := b.rows["shop/acme/k 11-22"]; n != tt.want || len(b.rows) != int(tt.want) {
			t.Errorf("%s: %v", name, b.rows)
		}
	}
}

func TestKnownKeysDoNotAllocate(t *testing.T) {
	c := New(Options{})
	c.Add("shop/acme/k", noon)
	if n := testing.AllocsPerRun(100, func() { c.Add("shop/acme/k", noon) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	c := New(Options{})
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprintf("shop/app-%d/current", i)
		c.Add(ids[i], noon)
	}
	b.Run("one goroutine", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i++
			c.Add(ids[i%len(ids)], noon)
		}
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				c.Add(ids[i%len(ids)], noon)
			}
		})
	})
}
