package sqlstore

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// followers are those who are told of changes.
type followers struct {
	mu   sync.RWMutex
	list []*follower
}

func (f *followers) add(one *follower) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, one)
}

func (f *followers) remove(one *follower) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = slices.DeleteFunc(f.list, func(o *follower) bool { return o == one })
}

func (f *followers) tell(c Changes) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, one := range f.list {
		one.apply(c)
	}
}

// follower is how far somebody has followed.
type follower struct {
	apply func(Changes)
	at    counter // of the last change that apply was told of
	begun bool
}

// Follow tells apply what has changed, until ctx ends: a change of this Store before its Update returns, one of another
// replica once a notification or a poll shows it. apply is told at least once, first that everything may have changed,
// and so whenever changes may have been missed: they were pruned, or it is another database. It is called by several
// goroutines, and must neither wait nor update the Store.
//
// Follow prepares the Store if that has not been done, and goes on trying while the database is down. Beside, it removes
// old changes, requests and counts.
func (s *Store) Follow(ctx context.Context, apply func(Changes)) error {
	f := &follower{apply: apply}
	s.followers.add(f)
	defer s.followers.remove(f)
	defer s.peppers.forget()

	wake := make(chan struct{}, 1)
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { s.pruneNowAndThen(ctx) })
	if s.db.listen != nil {
		beside.Go(func() {
			s.db.listen(ctx, func() {
				select {
				case wake <- struct{}{}:
				default: // somebody has woken it already
				}
			}, s.stats.listening.Store)
		})
	}
	for {
		s.step(ctx, f)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-wake:
		case <-time.After(s.pause()):
		}
	}
}

// pause is how long to wait for the next poll: not for long while the database is down.
func (s *Store) pause() time.Duration {
	const whileDown = time.Second
	if s.stats.failing.Load() {
		return min(whileDown, s.opts.PollInterval)
	}
	return s.opts.PollInterval
}

// step polls once, and says so when that begins to fail and when it works again.
func (s *Store) step(ctx context.Context, f *follower) {
	err := s.Prepare(ctx)
	if err == nil {
		err = s.poll(ctx, f)
	}
	switch {
	case err == nil:
		if s.stats.failing.Swap(false) {
			s.opts.Log.Info("changes of keys can be read again")
		}
		s.stats.polled.Store(s.opts.Now().UnixNano())
	case ctx.Err() != nil: // that is the end
	default:
		s.peppers.forget()
		s.stats.failures.Add(1)
		if !s.stats.failing.Swap(true) {
			s.opts.Log.Warn("changes of keys cannot be read", "error", err)
		}
	}
}

// poll tells the follower what is new. The number of the last change is read first: what is committed later is told the
// next time.
func (s *Store) poll(ctx context.Context, f *follower) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	last, err := readCounter(ctx, s.db.read, "")
	if err != nil {
		return err
	}
	var c Changes
	switch {
	case !f.begun || last.storeID != f.at.storeID || last.seq < f.at.seq:
		c.All = true
	case last.seq > f.at.seq:
		list, complete, err := changesAfter(ctx, s.db.read, f.at.seq, last.seq)
		if err != nil {
			return err
		}
		c = Changes{All: !complete, List: list}
	}
	if c.All || len(c.List) > 0 || !s.peppers.known() {
		if err := s.learnPeppers(ctx); err != nil {
			return err
		}
		f.apply(c)
		s.stats.tell(c)
	}
	f.at, f.begun = last, true
	return nil
}

// Stats is what a Store tells about itself.
type Stats struct {
	Listening    bool      // to notifications; never of SQLite
	Polled       time.Time // when changes were last read; zero: never
	PollFailures uint64
	Changes      uint64 // that were read by polling
	Resyncs      uint64 // how often everything had to be forgotten
	Events       uint64 // that were put on record by this Store
}

type stats struct {
	listening, failing                 atomic.Bool
	polled                             atomic.Int64
	failures, changes, resyncs, events atomic.Uint64
}

func (s *stats) tell(c Changes) {
	s.changes.Add(uint64(len(c.List)))
	if c.All {
		s.resyncs.Add(1)
	}
}

// Stats returns the counts since the Store was opened, and its state.
func (s *Store) Stats() Stats {
	stats := Stats{
		Listening: s.stats.listening.Load(), PollFailures: s.stats.failures.Load(),
		Changes: s.stats.changes.Load(), Resyncs: s.stats.resyncs.Load(), Events: s.stats.events.Load(),
	}
	if at := s.stats.polled.Load(); at != 0 {
		stats.Polled = time.Unix(0, at).UTC()
	}
	return stats
}
