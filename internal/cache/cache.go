// Package cache is a map from digests to facts, bounded in bytes, over ristretto.
//
// What is looked up by is a digest of everything that the fact depends on, made by [Key]. ristretto is shown the first
// 64 bits of it; an entry carries the whole digest, and it is compared on every hit, so that a collision is a miss.
//
// ristretto gives up exactness for speed, and callers must cope: a Set becomes visible a little later or, under
// pressure, not at all; a Set that is still on its way may overtake a Delete. So a value that must not come back says
// itself since when it counts (see package cached), and Delete only frees memory early.
package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// entryOverhead is about what an entry costs beside its value, in bytes: the entry itself and ristretto's three maps.
// A test measures it.
const entryOverhead = 240

// Cache maps digests to values of one type. It is safe for concurrent use.
type Cache[V any] struct {
	items                 *ristretto.Cache[uint64, *entry[V]] // nil: holds nothing
	hits, misses, dropped atomic.Uint64
}

type entry[V any] struct {
	key   [sha256.Size]byte
	value V
}

// New makes a cache whose entries take up to maxBytes; beside them it needs up to a fifth of that, and half a MiB, for
// how large the maps of ristretto grow depends on chance. A cache of no bytes holds nothing. It runs two goroutines until
// Close.
func New[V any](maxBytes int64) *Cache[V] {
	if maxBytes <= 0 {
		return &Cache[V]{}
	}
	items, err := ristretto.NewCache(&ristretto.Config[uint64, *entry[V]]{
		MaxCost:            maxBytes,
		NumCounters:        max(maxBytes/64, 1<<10), // about ten for each entry of ordinary size
		BufferItems:        64,
		IgnoreInternalCost: true, // entryOverhead stands for it
		KeyToHash:          func(key uint64) (hash, conflict uint64) { return key, 0 },
	})
	if err != nil {
		panic("cache: " + err.Error()) // it refuses numbers below 1 only
	}
	return &Cache[V]{items: items}
}

// Get returns the value that was set for the key.
func (c *Cache[V]) Get(key [sha256.Size]byte) (V, bool) {
	if e, ok := c.items.Get(slot(key)); ok && e.key == key {
		c.hits.Add(1)
		return e.value, true
	}
	c.misses.Add(1)
	var none V
	return none, false
}

// Set offers a value for the key, to be kept for up to ttl. size is what the value takes, in bytes. A value that is
// there is replaced at once, a new one appears shortly after. A ttl that is not positive keeps nothing.
func (c *Cache[V]) Set(key [sha256.Size]byte, value V, size int64, ttl time.Duration) {
	if ttl <= 0 {
		return
	}
	if !c.items.SetWithTTL(slot(key), &entry[V]{key, value}, max(size, 0)+entryOverhead, ttl) {
		c.dropped.Add(1)
	}
}

// Delete forgets the key.
func (c *Cache[V]) Delete(key [sha256.Size]byte) { c.items.Del(slot(key)) }

// Wait returns when every earlier Set has been taken or refused. Only tests need to know.
func (c *Cache[V]) Wait() { c.items.Wait() }

// Close ends the cache's goroutines. Nothing may use it meanwhile or afterwards.
func (c *Cache[V]) Close() { c.items.Close() }

// Stats is what a cache tells about itself.
type Stats struct {
	Hits, Misses uint64
	Dropped      uint64 // values that were not taken because too many came at once
	Bytes        int64  // what the entries take
	MaxBytes     int64
}

// Stats returns the counts since the cache was made, and its size now.
func (c *Cache[V]) Stats() Stats {
	most := c.items.MaxCost()
	return Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Dropped: c.dropped.Load(),
		Bytes: most - c.items.RemainingCost(), MaxBytes: most,
	}
}

func slot(key [sha256.Size]byte) uint64 { return binary.LittleEndian.Uint64(key[:]) }
