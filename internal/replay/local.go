package replay

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull says that a Local has no room for another key. It never makes room by forgetting one that still counts.
var ErrFull = errors.New("the memory of accepted signatures is full")

const (
	memoryShards = 64
	slotSeconds  = 8  // keys are dropped together, a slot at a time
	markBytes    = 96 // what one key takes, with its share of map and list
)

// Local is a Memory within this process. It holds a bounded number of keys and starts no goroutine: keys whose time
// is over are dropped by later calls. Replicas do not share it, and a restart empties it.
type Local struct {
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

// NewLocal makes a Local of about maxBytes, a key taking 96 bytes, that reads the clock now.
func NewLocal(maxBytes int64, now func() time.Time) *Local {
	m := &Local{limit: int(max(maxBytes/memoryShards/markBytes, 1)), now: now}
	for i := range m.shards {
		m.shards[i].live = map[mark]struct{}{}
		m.shards[i].due = map[int64][]mark{}
	}
	return m
}

// First implements [Memory]. It cannot tell what an earlier process has seen, and does not look at earliest.
func (m *Local) First(_ context.Context, key [32]byte, _, until time.Time) (bool, error) {
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

// Stats returns the present numbers.
func (m *Local) Stats() Stats {
	stats := Stats{Capacity: m.limit * memoryShards, Repeats: m.repeats.Load(), Refused: m.refused.Load()}
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		stats.Keys += len(s.live)
		s.mu.Unlock()
	}
	return stats
}
