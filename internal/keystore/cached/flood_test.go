package cached

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/postern-auth/postern/internal/keystore"
)

// TestFloodOfRandomKeys asks for a million keys that do not exist, while good ones are used.
func TestFloodOfRandomKeys(t *testing.T) {
	flood := 1_000_000
	if underRace {
		flood = 100_000
	}
	const (
		attackers = 4
		good      = 1_000
		limit     = 32 << 20
	)
	keys := make([]*keystore.Key, good)
	for i := range keys {
		keys[i] = apiKey(fmt.Sprint("good", i))
	}
	b := newBackend(keys...)
	s, _ := open(t, b, Options{})
	for range 3 {
		for _, k := range keys {
			want(t, s, k, nil)
		}
		s.settle()
	}
	before, reads := heap(), b.reads.Load()

	var wg sync.WaitGroup
	for a := range attackers {
		wg.Go(func() {
			for i := range flood / attackers {
				var d keystore.Digest
				binary.LittleEndian.PutUint64(d.Sum[:], uint64(i))
				d.Sum[8], d.Sum[31] = byte(a), 1
				if _, err := s.ByDigest(context.Background(), d); !errors.Is(err, keystore.ErrNotFound) {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 100_000 {
		want(t, s, keys[i%good], nil)
	}
	wg.Wait()
	s.settle()

	grown := heap() - before
	again := b.reads.Load() - reads - int64(flood)
	t.Logf("the heap grew by %d KiB; good keys were read again %d times; %+v", grown>>10, again, s.Stats())
	if grown > limit {
		t.Errorf("the heap grew by %d bytes; want %d at most", grown, limit)
	}
	if again > 0 {
		t.Errorf("%d reads of good keys that were in the cache", again)
	}
	if most := b.most.Load(); most > 64 {
		t.Errorf("%d reads at a time", most)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
