package jwt

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// How a remote key set is kept.
const (
	defaultRefresh = 15 * time.Minute // where the answer says nothing of its age
	minRefresh     = 5 * time.Minute
	maxRefresh     = time.Hour
	minBackoff     = time.Second // after a failure, doubled up to maxBackoff
	maxBackoff     = time.Minute
	refetchPause   = 30 * time.Second // between fetches because of unknown key ids
	maxStale       = 24 * time.Hour   // how long the last good keys count
)

// remote keeps one key set fresh. Its goroutine is the only one that fetches; requests read the last good set without
// a lock, and those that cannot do with it wait for the goroutine's next attempt.
type remote struct {
	name string // for logs and statistics
	load loader
	log  *slog.Logger

	good  atomic.Pointer[goodSet] // nil before the first success
	poke  chan struct{}           // wakes the goroutine; room for one
	quit  context.CancelFunc
	count struct{ fetches, failures atomic.Uint64 }

	mu      sync.Mutex // guards what follows; checks that find their key never take it
	attempt *attempt   // under way or asked for; nil: none
	failed  bool       // the last attempt did
	asked   time.Time  // when an unknown key id last caused an attempt
	stopped bool
}

// goodSet is a set and when it was last known to be the issuer's.
type goodSet struct {
	set *keySet
	at  time.Time
}

// attempt is one fetch that requests wait for. failed is set before done is closed.
type attempt struct {
	done   chan struct{}
	failed bool
}

func newRemote(name string, load loader, log *slog.Logger, quit context.CancelFunc) *remote {
	return &remote{
		name:    name,
		load:    load,
		log:     log,
		quit:    quit,
		poke:    make(chan struct{}, 1),
		attempt: &attempt{done: make(chan struct{})}, // the first, which run begins with
	}
}

// current implements source.
func (s *remote) current(now time.Time) *keySet {
	good := s.good.Load()
	if good == nil || now.Sub(good.at) > maxStale {
		return nil
	}
	return good.set
}

// fresher implements source. It waits for the attempt under way, if there is one. Else an unknown key id causes one,
// at most once in refetchPause, and a set that was not there for an earlier attempt will not be there for this request.
func (s *remote) fresher(ctx context.Context, now time.Time, have *keySet) (*keySet, error) {
	a, set := s.join(now, have)
	if a == nil {
		if set == nil {
			return nil, errNoKeys
		}
		return set, nil
	}
	select {
	case <-a.done:
		if a.failed {
			return nil, errNoKeys
		}
		return s.good.Load().set, nil
	case <-ctx.Done():
		return nil, errNoKeys
	}
}

// join returns the attempt to wait for; without one, the set that there is to go by, nil if none.
func (s *remote) join(now time.Time, have *keySet) (*attempt, *keySet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.current(now)
	switch {
	case set != nil && set != have:
		return nil, set // somebody else's attempt has landed
	case s.attempt != nil:
		return s.attempt, nil
	case set == nil, s.stopped:
		return nil, nil
	case time.Since(s.asked) >= refetchPause:
		s.asked = time.Now()
		s.attempt = &attempt{done: make(chan struct{})}
		s.poke <- struct{}{} // has room: one poke for each attempt, taken before the attempt lands
		return s.attempt, nil
	case s.failed:
		return nil, nil
	default:
		return nil, set // it is younger than refetchPause
	}
}

// run fetches until ctx ends.
func (s *remote) run(ctx context.Context) {
	defer s.stop()
	failures := 0
	for {
		wait, err := s.refresh(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = min(minBackoff<<min(failures, 10), maxBackoff)
			failures++
			s.log.Warn("keys not fetched", "source", s.name, "error", err, "failures", failures)
		case failures > 0:
			failures = 0
			s.log.Info("keys fetched again", "source", s.name)
		}
		s.land(err != nil)
		timer := time.NewTimer(wait - rand.N(wait/5)) //nolint:gosec // replicas spread; nothing is secret
		select {
		case <-timer.C:
			s.begin()
		case <-s.poke:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// begin opens an attempt that requests may join, unless one was asked for in the meantime.
func (s *remote) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempt == nil {
		s.attempt = &attempt{done: make(chan struct{})}
		return
	}
	<-s.poke // it is this one
}

// land tells those who wait how the attempt went.
func (s *remote) land(failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = failed
	if s.attempt != nil {
		s.attempt.failed = failed
		close(s.attempt.done)
		s.attempt = nil
	}
}

// stop lets nobody wait for a goroutine that has ended.
func (s *remote) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.land(true)
}

// refresh fetches the set once and returns how long it may be taken for current.
func (s *remote) refresh(ctx context.Context) (fresh time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil { // a parser that a document upset must not take the process with it
			err = fmt.Errorf("panic: %v", p)
		}
		if s.count.fetches.Add(1); err != nil {
			s.count.failures.Add(1)
		}
	}()
	doc, err := s.load(ctx)
	if err != nil {
		return 0, err
	}
	set, refused, err := parseKeySet(doc.body)
	if err != nil {
		return 0, err
	}
	if old := s.good.Load(); old != nil && old.set.digest == set.digest {
		set = old.set
	} else {
		s.log.Info("keys changed", "source", s.name, "keys", len(set.keys))
		for _, err := range refused {
			s.log.Warn("key refused", "source", s.name, "error", err)
		}
	}
	s.good.Store(&goodSet{set: set, at: time.Now()})
	if doc.maxAge == 0 {
		return defaultRefresh, nil
	}
	return min(max(doc.maxAge, minRefresh), maxRefresh), nil
}

// KeySetStats tells about one remote key set.
type KeySetStats struct {
	Source            string // its address, or that of the issuer's metadata; without query
	Fetches, Failures uint64
	Keys              int       // usable ones in the last good set
	LastSuccess       time.Time // zero: never
}

func (s *remote) stats() KeySetStats {
	st := KeySetStats{Source: s.name, Fetches: s.count.fetches.Load(), Failures: s.count.failures.Load()}
	if good := s.good.Load(); good != nil {
		st.Keys, st.LastSuccess = len(good.set.keys), good.at
	}
	return st
}
