package cache

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newCache[V any](t testing.TB, maxBytes int64) *Cache[V] {
	t.Helper()
	c := New[V](maxBytes)
	t.Cleanup(c.Close)
	return c
}

func TestSetGetDelete(t *testing.T) {
	c := newCache[string](t, 1<<20)
	a, b := Key("a"), Key("b")
	if _, ok := c.Get(a); ok {
		t.Error("a new cache holds something")
	}
	c.Set(a, "1", 1, time.Minute)
	c.Wait()
	if v, ok := c.Get(a); !ok || v != "1" {
		t.Errorf("%q, %v", v, ok)
	}
	c.Set(a, "2", 1, time.Minute)
	if v, ok := c.Get(a); !ok || v != "2" {
		t.Errorf("a replaced value is not there at once: %q, %v", v, ok)
	}
	if _, ok := c.Get(b); ok {
		t.Error("another key has a value")
	}
	c.Delete(a)
	if _, ok := c.Get(a); ok {
		t.Error("a deleted key has a value")
	}
	want := Stats{Hits: 2, Misses: 3, MaxBytes: 1 << 20}
	c.Wait()
	if got := c.Stats(); got != want {
		t.Errorf("%+v; want %+v", got, want)
	}
}

// TestCollision holds two keys that ristretto cannot tell apart.
func TestCollision(t *testing.T) {
	c := newCache[string](t, 1<<20)
	a := Key("a")
	b := a
	b[sha256.Size-1] ^= 1
	c.Set(a, "a's", 1, time.Minute)
	c.Wait()
	if v, ok := c.Get(b); ok {
		t.Fatalf("b has %q", v)
	}
	c.Set(b, "b's", 1, time.Minute)
	c.Wait()
	if v, ok := c.Get(a); ok && v != "a's" {
		t.Fatalf("a has %q", v)
	}
	if v, ok := c.Get(b); ok && v != "b's" {
		t.Fatalf("b has %q", v)
	}
}

func TestEntriesExpire(t *testing.T) {
	c := newCache[int](t, 1<<20)
	a := Key("a")
	c.Set(a, 1, 1, 20*time.Millisecond)
	c.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		if _, ok := c.Get(a); !ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the entry stays")
		}
	}
}

func TestNoTTLKeepsNothing(t *testing.T) {
	c := newCache[int](t, 1<<20)
	for _, ttl := range []time.Duration{0, -1} {
		c.Set(Key("a"), 1, 1, ttl)
		c.Wait()
		if _, ok := c.Get(Key("a")); ok {
			t.Errorf("a ttl of %v keeps a value", ttl)
		}
	}
}

func TestNoBytesHoldsNothing(t *testing.T) {
	c := newCache[int](t, 0)
	c.Set(Key("a"), 1, 1, time.Minute)
	c.Wait()
	c.Delete(Key("b"))
	if _, ok := c.Get(Key("a")); ok {
		t.Error("it holds a value")
	}
	if got := c.Stats(); got.Bytes != 0 || got.MaxBytes != 0 || got.Misses != 1 {
		t.Errorf("%+v", got)
	}
}

func TestEntryLargerThanTheCache(t *testing.T) {
	c := newCache[int](t, 1<<10)
	c.Set(Key("a"), 1, 1<<20, time.Minute)
	c.Wait()
	if _, ok := c.Get(Key("a")); ok || c.Stats().Bytes != 0 {
		t.Errorf("it was taken: %+v", c.Stats())
	}
}

// TestMemoryStaysBounded fills a cache many times over with values of known size and measures the process.
func TestMemoryStaysBounded(t *testing.T) {
	const maxBytes, size = 8 << 20, 256
	before := heap()
	c := newCache[*[size]byte](t, maxBytes)
	for i := range 200_000 {
		c.Set(Key(strconv.Itoa(i)), new([size]byte), size, time.Hour)
		if i%1000 == 0 {
			c.Wait()
		}
	}
	c.Wait()
	stats, grown := c.Stats(), heap()-before
	t.Logf("%d entries' worth of %d bytes: the heap grew by %d", stats.Bytes, stats.MaxBytes, grown)
	if stats.Bytes > maxBytes || stats.Bytes < maxBytes/2 {
		t.Errorf("the entries count %d bytes of %d", stats.Bytes, maxBytes)
	}
	if limit := int64(maxBytes*120/100 + 1<<20); grown > limit { // 11 % to 20 % more than maxBytes were seen, by chance
		t.Errorf("the heap grew by %d bytes; want %d at most", grown, limit)
	}
	runtime.KeepAlive(c)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestConcurrentUse(t *testing.T) {
	c := newCache[string](t, 64<<10)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 5000 {
				name := strconv.Itoa((i*7 + g) % 500)
				switch i % 5 {
				case 0:
					c.Set(Key(name), name, 10, time.Minute)
				case 1:
					c.Delete(Key(name))
				default:
					if v, ok := c.Get(Key(name)); ok && v != name {
						t.Errorf("%s has %s", name, v)
					}
				}
			}
			c.Stats()
		})
	}
	wg.Wait()
}

func TestKeySeparatesParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.String())
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		if same, equal := Key(a...) == Key(b...), fmt.Sprintf("%q", a) == fmt.Sprintf("%q", b); same != equal {
			t.Fatalf("%q and %q: same key %v", a, b, same)
		}
	})
}

func TestKeyOfLongParts(t *testing.T) {
	long := strings.Repeat("x", 3*onStack)
	if Key(long) == Key(long+"x") || Key(long) != Key(strings.Clone(long)) {
		t.Error("parts beyond the stack do not count")
	}
}

func TestGetAndKeyDoNotAllocate(t *testing.T) {
	c := newCache[string](t, 1<<20)
	token := strings.Repeat("x", 1500)
	c.Set(Key("token", "shop/login", "1", token), "v", 1, time.Minute)
	c.Wait()
	if n := testing.AllocsPerRun(50, func() {
		if _, ok := c.Get(Key("token", "shop/login", "1", token)); !ok {
			t.Fatal("miss")
		}
	}); n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}

func BenchmarkGet(b *testing.B) {
	c := newCache[string](b, 1<<20)
	key := Key("a")
	c.Set(key, "v", 1, time.Hour)
	c.Wait()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Get(key); !ok {
			b.Fatal("miss")
		}
	}
}

func BenchmarkKey(b *testing.B) {
	for _, n := range []int{32, 700, 4000} {
		credential := strings.Repeat("x", n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Key("token", "shop/login", "1", credential)
			}
		})
	}
}
