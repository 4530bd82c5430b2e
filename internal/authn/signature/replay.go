package signature

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Replay remembers what has been accepted, so that it counts once. It is safe for concurrent use, and outlives the
// schemes that use it.
type Replay interface {
	// First reports whether key is new, and remembers it at least until the given time. Of several concurrent calls
	// with one key exactly one is first. An error means that it could not tell; the request is then refused.
	First(ctx context.Context, key [32]byte, until time.Time) (bool, error)
}

// ErrFull says that a Memory has no room for another key. It never makes room by forgetting one that still counts.
var ErrFull = errors.New("the memory of accepted signatures is full")

// ErrForgotten says that a key would lie in a time whose keys a Memory has dropped: the clock went backwards.
var ErrForgotten = errors.New("the memory of accepted signatures does not reach back this far")

const (
	memoryShards = 64
	slotSeconds  = 8  // keys are dropped together, a slot at a time
	markBytes    = 96 // what one key takes, with its share of map and list
)

// Memory is a Replay within this process. It holds a bounded number of keys and starts no goroutine: keys whose time
// is over are dropped by later calls. Replicas do not share it, and a restart empties it.
type Memory struct {
	shards [memoryShards]shard
	limit  int // keys a shard
	now    func() time.Time

	repeats, refused atomic.Uint64
}

// mark is the beginning of a key, a SHA-256: too long for two to meet by chance, and whoever searches for two that
// meet only refuses himself.
type mark [16]byte

type shard struct {
	mu      sync.Mutex
	live    map[mark]struct{}
	due     map[int64][]mark // live keys by the slot that their time ends in
	dropped int64            // the last slot whose keys are gone
}

// NewMemory makes a Memory of about maxBytes, a key taking 96 bytes.
func NewMemory(maxBytes int64) *Memory {
	m := &Memory{limit: int(max(maxBytes/memoryShards/markBytes, 1)), now: time.Now}
	for i := range m.shards {
		m.shards[i].live = map[mark]struct{}{}
		m.shards[i].due = map[int64][]mark{}
	}
	return m
}

// First implements [Replay].
func (m *Memory) First(_ context.Context, key [32]byte, until time.Time) (bool, error) {
	first, err := m.shards[key[31]%memoryShards].first(mark(key[:16]), slotOf(until), slotOf(m.now()), m.limit)
	switch {
	case err != nil:
		m.refused.Add(1)
	case !first:
		m.repeats.Add(1)
	}
	return first, err
}

func slotOf(t time.Time) int64 { return t.Unix() / slotSeconds }

func (s *shard) first(key mark, slot, now int64, limit int) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(now)
	if slot <= s.dropped {
		return false, ErrForgotten
	}
	if _, seen := s.live[key]; seen {
		return false, nil
	}
	if len(s.live) >= limit {
		return false, ErrFull
	}
	s.live[key] = struct{}{}
	s.due[slot] = append(s.due[slot], key)
	return true, nil
}

// drop forgets the slots before now. It never moves back: a clock set back finds the past closed.
func (s *shard) drop(now int64) {
	if now-1 <= s.dropped {
		return
	}
	s.dropped = now - 1
	for slot, keys := range s.due {
		if slot > s.dropped {
			continue
		}
		for _, key := range keys {
			delete(s.live, key)
		}
		delete(s.due, slot)
	}
}

// MemoryStats is what a Memory tells telemetry.
type MemoryStats struct {
	Keys     int    // remembered, those not yet dropped included
	Capacity int    // how many fit
	Repeats  uint64 // calls that found their key
	Refused  uint64 // calls that could not be answered: full, or the clock went backwards
}

// Stats returns the present numbers.
func (m *Memory) Stats() MemoryStats {
	stats := MemoryStats{Capacity: m.limit * memoryShards, Repeats: m.repeats.Load(), Refused: m.refused.Load()}
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		stats.Keys += len(s.live)
		s.mu.Unlock()
	}
	return stats
}
