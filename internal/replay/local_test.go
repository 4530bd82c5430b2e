package replay

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

var now = time.Unix(1618884483, 0)

func numbered(i int) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
}

// TestLocalBound tries a million keys on a memory for fewer: it refuses rather than forgets, and keeps to its size.
func TestLocalBound(t *testing.T) {
	const size = 8 << 20
	before := heap()
	clock := now
	m := NewLocal(size, func() time.Time { return clock })
	var kept, full int
	for i := range 1_000_000 {
		first, err := m.First(context.Background(), numbered(i), now, now.Add(time.Duration(i%360)*time.Second))
		switch {
		case first && err == nil:
			kept++
		case errors.Is(err, ErrFull):
			full++
		default:
			t.Fatalf("key %d: %v, %v", i, first, err)
		}
	}
	if used := heap() - before; used > size {
		t.Errorf("%d bytes used of %d", used, size)
	}
	stats := m.Stats()
	if kept != stats.Keys || kept > stats.Capacity || kept < stats.Capacity*9/10 || stats.Refused != uint64(full) {
		t.Errorf("kept %d, full %d, stats %+v", kept, full, stats)
	}
	if first, err := m.First(context.Background(), numbered(0), now, now.Add(time.Minute)); first || err != nil {
		t.Errorf("the first key: %v, %v", first, err)
	}
	clock = now.Add(time.Hour)
	for i := range 10_000 {
		if first, err := m.First(context.Background(), numbered(i), now, clock.Add(time.Minute)); !first || err != nil {
			t.Fatalf("an hour later: %v, %v", first, err)
		}
	}
	if n := m.Stats().Keys; n != 10_000 {
		t.Errorf("%d keys an hour later", n)
	}
	runtime.KeepAlive(m)
}

func heap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// TestLocalTime drops a key only when its time is over, and admits nothing into a time that is closed.
func TestLocalTime(t *testing.T) {
	clock := now
	m := NewLocal(1<<20, func() time.Time { return clock })
	first := func(key int, until time.Time) (bool, error) {
		return m.First(context.Background(), numbered(key), now, until)
	}
	end := now.Add(time.Minute)
	if ok, err := first(1, end); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for clock = now; !clock.After(end); clock = clock.Add(time.Second) {
		if ok, err := first(1, end); ok || err != nil {
			t.Fatalf("%v before its end: %v, %v", end.Sub(clock), ok, err)
		}
	}
	clock = end.Add(time.Minute)
	if ok, err := first(1, clock.Add(time.Minute)); !ok || err != nil {
		t.Errorf("after its end: %v, %v", ok, err)
	}
	clock = now // the clock is set back: what was dropped must not be accepted again
	if ok, err := first(1, end); ok || !errors.Is(err, ErrForgotten) {
		t.Errorf("in the past: %v, %v", ok, err)
	}
	if ok, err := first(2, end.Add(3*time.Minute)); !ok || err != nil {
		t.Errorf("beyond it: %v, %v", ok, err)
	}
}

func BenchmarkLocal(b *testing.B) {
	m := NewLocal(1<<30, func() time.Time { return now })
	var n atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var key [32]byte
			i := uint64(n.Add(1)) * 0x9e3779b97f4a7c15
			binary.BigEndian.PutUint64(key[:], i)
			key[31] = byte(i)
			if first, err := m.First(context.Background(), key, now, now.Add(time.Minute)); !first || err != nil {
				b.Fatal(first, err)
			}
		}
	})
}
