package usage

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	shardBits  = 6
	shardCount = 1 << shardBits
	secondsDay = 24 * 60 * 60
)

// shards hold the keys that were used lately. Each is an open-addressing table that is read without a lock; a new key
// is entered under the shard's own.
type shards struct {
	seed     maphash.Seed
	most     int64
	keys     atomic.Int64  // in all tables
	overflow atomic.Uint64 // uses that were not counted
	all      [shardCount]shard
}

type shard struct {
	table atomic.Pointer[table]
	mu    sync.Mutex // guards what follows, and changes of table
	used  int        // slots of the table
	// leaving are keys taken out of the table at the last collection: somebody who had found one then may have added to
	// it since.
	leaving []*entry
}

// table has at least one free slot in four. A slot is written once; growing and clearing make a new table.
type table struct {
	slots []atomic.Pointer[entry]
	mask  uint64
}

// entry is the use of one key since the last collection. Even and odd days have numbers of their own, so that a use
// just before midnight counts for the day that is over.
type entry struct {
	hash uint64
	id   string
	days [2]struct {
		requests atomic.Uint64
		last     atomic.Int64 // Unix seconds
	}
}

func (s *shards) init(most int) {
	s.seed, s.most = maphash.MakeSeed(), int64(most)
	for i := range s.all {
		s.all[i].table.Store(newTable(0))
	}
}

// newTable makes a table that has room for that many entries, and a few more.
func newTable(entries int) *table {
	size := 16
	for size*3/4 < entries+entries/4 {
		size *= 2
	}
	return &table{slots: make([]atomic.Pointer[entry], size), mask: uint64(size) - 1}
}

// add counts one use.
func (s *shards) add(id string, second int64) {
	hash := maphash.String(s.seed, id)
	shard := &s.all[hash>>(64-shardBits)]
	e := shard.table.Load().find(hash, id)
	if e == nil {
		if e = shard.enter(s, hash, id); e == nil {
			s.overflow.Add(1)
			return
		}
	}
	e.add(second)
}

// add writes the time first: whoever takes the number finds a time of that day.
func (e *entry) add(second int64) {
	day := &e.days[second/secondsDay&1]
	for last := day.last.Load(); last < second && !day.last.CompareAndSwap(last, second); last = day.last.Load() {
	}
	day.requests.Add(1)
}

// find returns the key's entry, nil if there is none.
func (t *table) find(hash uint64, id string) *entry {
	for at := hash & t.mask; ; at = (at + 1) & t.mask {
		e := t.slots[at].Load()
		if e == nil || e.hash == hash && e.id == id {
			return e
		}
	}
}

func (t *table) enter(e *entry) {
	at := e.hash & t.mask
	for t.slots[at].Load() != nil {
		at = (at + 1) & t.mask
	}
	t.slots[at].Store(e)
}

// enter returns the entry of a key that find has not found, nil if there are too many keys.
func (s *shard) enter(all *shards, hash uint64, id string) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table.Load()
	if e := t.find(hash, id); e != nil {
		return e
	}
	if all.keys.Add(1) > all.most {
		all.keys.Add(-1)
		return nil
	}
	if s.used+1 > len(t.slots)*3/4 {
		t = t.copy(s.used, func(*entry) bool { return true })
		s.table.Store(t)
	}
	s.used++
	e := &entry{hash: hash, id: strings.Clone(id)}
	t.enter(e)
	return e
}

// copy returns a table with those entries that are to stay, at most that many, and room to grow.
func (t *table) copy(most int, stays func(*entry) bool) *table {
	next := newTable(most + 1)
	for i := range t.slots {
		if e := t.slots[i].Load(); e != nil && stays(e) {
			next.enter(e)
		}
	}
	return next
}

// collect takes the counts since the last collection, key by key; a key may come twice. Keys without any leave.
func (s *shards) collect(take func(id string, requests uint64, last int64)) {
	for i := range s.all {
		s.all[i].collect(s, take)
	}
}

func (s *shard) collect(all *shards, take func(id string, requests uint64, last int64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.leaving {
		e.take(take)
	}
	s.leaving = nil
	t := s.table.Load()
	for i := range t.slots {
		if e := t.slots[i].Load(); e != nil && !e.take(take) {
			s.leaving = append(s.leaving, e)
		}
	}
	if len(s.leaving) == 0 {
		return
	}
	gone := make(map[*entry]bool, len(s.leaving))
	for _, e := range s.leaving {
		gone[e] = true
	}
	s.used -= len(s.leaving)
	all.keys.Add(-int64(len(s.leaving)))
	s.table.Store(t.copy(s.used, func(e *entry) bool { return !gone[e] }))
}

// take passes on what was counted and reports whether anything was.
func (e *entry) take(take func(id string, requests uint64, last int64)) bool {
	counted := false
	for i := range e.days {
		day := &e.days[i]
		if n := day.requests.Swap(0); n > 0 {
			take(e.id, n, day.last.Load())
			counted = true
		}
	}
	return counted
}
