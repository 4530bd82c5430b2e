package cached

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
)

// probeEvery is how often a caller with a stale key tries whether a failing store works again.
const probeEvery = 250 * time.Millisecond

var (
	errOverloaded = authz.Fail(authz.ReasonOverloaded, errors.New("too many reads of the key store at a time"))
	errSlow       = errors.New("the key store did not answer in time")
	errWrongKey   = errors.New("the key store answered with another key than was asked for")
)

// mayProbe reports whether a caller that has a stale key should ask the store: always while it works, now and then while
// it fails.
func (s *Store) mayProbe() bool {
	at := s.probeAt.Load()
	if at == 0 {
		return true
	}
	now := s.opts.Now().UnixNano()
	return now >= at && s.probeAt.CompareAndSwap(at, now+int64(probeEvery))
}

func (s *Store) failed() { s.probeAt.Store(s.opts.Now().Add(probeEvery).UnixNano()) }

// read asks the store, sharing the read with others who ask the same in the same epoch, and waits for the answer as
// long as the caller may. known says that the caller has a stale key to fall back on.
func (s *Store) read(ctx context.Context, known bool, q question) (*answer, error) {
	asOf := s.epochs.current.Load()
	flight := string(binary.BigEndian.AppendUint64(q.id[:], asOf))
	done := s.flights.DoChan(flight, func() (any, error) { return s.fly(known, q, asOf) })
	var enough <-chan time.Time
	if known {
		timer := time.NewTimer(s.opts.RenewTimeout)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*answer), nil // fly returns nothing else
	case <-enough:
		s.failed()
		return nil, errSlow
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errSlow, context.Cause(ctx))
	}
}

// fly is one read of the store, on its own goroutine, whoever waits for it.
func (s *Store) fly(known bool, q question, asOf uint64) (*answer, error) {
	place := s.first
	if known {
		place = s.renewals
	}
	if !place.enter(s.opts.QueueTimeout) {
		s.overloaded.Add(1)
		return nil, errOverloaded
	}
	defer place.leave()
	s.reads.Add(1)
	a, err := s.ask(q, asOf)
	if err != nil {
		s.failures.Add(1)
		s.failed()
		return nil, err
	}
	s.remember(q.id, known, a)
	s.probeAt.Store(0)
	return a, nil
}

// ask bounds a read in time and turns a panic into an error, since it would end the process on this goroutine.
func (s *Store) ask(q question, asOf uint64) (a *answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, err = nil, fmt.Errorf("the key store panicked: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.ReadTimeout)
	defer cancel()
	at := s.opts.Now()
	keys, err := q.ask(ctx)
	switch {
	case errors.Is(err, keystore.ErrNotFound):
		keys = nil
	case err != nil:
		return nil, err
	}
	return &answer{keys: keys, asOf: asOf, at: at, slots: slotsOf(q.id, keys)}, nil
}

func (s *Store) remember(id [32]byte, wasKnown bool, a *answer) {
	if len(a.keys) == 0 {
		if wasKnown {
			s.known.Delete(id)
		}
		s.unknown.Set(id, a, answerSize, s.opts.NegativeTTL)
		return
	}
	size := int64(answerSize)
	for _, k := range a.keys {
		size += k.Size()
	}
	s.known.Set(id, a, size, max(s.opts.TTL, s.opts.MaxStale))
}

// answerSize is about what an answer takes beside its keys, in bytes.
const answerSize = 112

// room is a number of places, each for one read.
type room chan struct{}

// enter takes a place, waiting for one if need be. It reports whether it got one.
func (r room) enter(patience time.Duration) bool {
	select {
	case r <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r <- struct{}{}:
		return true
	case <-timer.C:
		return false
	}
}

func (r room) leave() { <-r }

// shut takes all places for good, once those inside have left.
func (r room) shut() {
	for range cap(r) {
		r <- struct{}{}
	}
}
