package replay

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLocalLaw(t *testing.T) {
	testLaw(t, func(*testing.T) Memory { return NewLocal(1<<20, time.Now) })
}

func TestRedisLaw(t *testing.T) {
	v := startValkey(t)
	testLaw(t, func(t *testing.T) Memory {
		v.do(t, "FLUSHALL")
		return v.openAged(t)
	})
}

// testLaw holds a Memory to its contract.
func testLaw(t *testing.T, open func(t *testing.T) Memory) {
	t.Run("a key is new once", func(t *testing.T) {
		m := open(t)
		for i := range 100 {
			if first, err := ask(m, i); !first || err != nil {
				t.Fatalf("key %d: %v, %v", i, first, err)
			}
		}
		for i := range 100 {
			if first, err := ask(m, i); first || err != nil {
				t.Errorf("key %d again: %v, %v", i, first, err)
			}
		}
	})
	t.Run("the whole key counts", func(t *testing.T) {
		m := open(t)
		at := time.Now()
		for i := range 16 { // a Local tells keys apart by so many bytes
			key := numbered(0)
			key[i] ^= 1
			if first, err := m.First(t.Context(), key, at, at.Add(time.Minute)); !first || err != nil {
				t.Errorf("byte %d: %v, %v", i, first, err)
			}
		}
	})
	t.Run("of concurrent calls one is first", func(t *testing.T) {
		m := open(t)
		for i := range 50 {
			var firsts atomic.Int32
			var wg sync.WaitGroup
			start := make(chan struct{})
			for range 16 {
				wg.Go(func() {
					<-start
					first, err := ask(m, i)
					if err != nil {
						t.Error(err)
					}
					if first {
						firsts.Add(1)
					}
				})
			}
			close(start)
			wg.Wait()
			if n := firsts.Load(); n != 1 {
				t.Fatalf("key %d was new %d times", i, n)
			}
		}
	})
	t.Run("a key is remembered to its end", func(t *testing.T) {
		m := open(t)
		at := time.Now()
		until := at.Add(1100 * time.Millisecond)
		first, err := m.First(t.Context(), numbered(0), at, until)
		if !first || err != nil {
			t.Fatal(first, err)
		}
		for time.Now().Before(until) {
			if first, _ := m.First(t.Context(), numbered(0), at, until); first {
				t.Fatal("new again before its end")
			}
		}
	})
	t.Run("a key whose time is over is not new", func(t *testing.T) {
		m := open(t)
		at := time.Now()
		for _, ago := range []time.Duration{time.Minute, 24 * time.Hour, 365 * 24 * time.Hour} {
			for range 2 {
				if first, err := m.First(t.Context(), numbered(0), at.Add(-2*ago), at.Add(-ago)); first || err == nil {
					t.Errorf("over for %v: %v, %v", ago, first, err)
				}
			}
		}
	})
	t.Run("what could not be told counts as refused, and a repeat as one", func(t *testing.T) {
		m := open(t)
		_, _ = ask(m, 1)
		_, _ = ask(m, 1)
		_, _ = m.First(t.Context(), numbered(2), time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
		stats := m.(interface{ Stats() Stats }).Stats()
		if stats.Repeats != 1 || stats.Refused != 1 {
			t.Errorf("%+v", stats)
		}
	})
}
