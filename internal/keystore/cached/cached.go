// Package cached is a keystore.Store that remembers what another one said.
//
// It is made for a store that is slow, far away, and sometimes down, and it keeps these promises:
//
//   - A fresh answer (younger than TTL) costs no read and takes no lock. Answers of "there is no such key" live in a
//     small cache of their own, so that a flood of random keys cannot push good ones out.
//   - What [Store.Forget] and its siblings name is forgotten when they return, for good: a read that was under way
//     then cannot bring it back, and nobody is answered from it. See epochs.
//   - Callers who ask for the same thing share one read. Reads have their own time limit, so one whose callers have
//     gone away still fills the cache. At most Reads of them run at a time, and those that renew a known key have as many
//     again of their own, so that a flood cannot starve them. Who finds no room waits QueueTimeout, then is refused with
//     authz.ReasonOverloaded.
//   - While the store fails, known keys keep working until they are MaxStale old. Nobody waits for it in vain more often
//     than probeEvery; the first read that works ends the state.
//
// Whether a key is good right now is not this package's business: a Key says until when it is, and [keystore.Key.Check]
// is asked at every use.
package cached

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/postern-auth/postern/internal/cache"
	"github.com/postern-auth/postern/internal/keystore"
)

// Options bound a Store. The zero value of a field stands for its default.
type Options struct {
	KeyBytes      int64         // memory for known keys; 32 MiB
	NegativeBytes int64         // memory for unknown ones; 4 MiB
	TTL           time.Duration // how long a known key is not read again; 60 s
	NegativeTTL   time.Duration // how long an unknown one is not; 10 s
	MaxStale      time.Duration // how old a known key may be while the store fails; 5 min
	Reads         int           // how many reads may run at a time; 64
	ReadTimeout   time.Duration // how long a read may take; 1 s
	QueueTimeout  time.Duration // how long a read may wait for its turn; 50 ms
	RenewTimeout  time.Duration // how long a caller with a stale key waits for a new one; 75 ms

	Now func() time.Time // the clock; time.Now
}

func (o *Options) setDefaults() {
	o.KeyBytes = or(o.KeyBytes, 32<<20)
	o.NegativeBytes = or(o.NegativeBytes, 4<<20)
	o.TTL = or(o.TTL, time.Minute)
	o.NegativeTTL = or(o.NegativeTTL, 10*time.Second)
	o.MaxStale = or(o.MaxStale, 5*time.Minute)
	o.Reads = or(o.Reads, 64)
	o.ReadTimeout = or(o.ReadTimeout, time.Second)
	o.QueueTimeout = or(o.QueueTimeout, 50*time.Millisecond)
	o.RenewTimeout = or(o.RenewTimeout, 75*time.Millisecond)
	if o.Now == nil {
		o.Now = time.Now
	}
}

func or[T ~int | ~int64](value, standard T) T {
	if value == 0 {
		return standard
	}
	return value
}

// Store decorates a keystore.Store. It is safe for concurrent use.
type Store struct {
	next keystore.Store
	opts Options

	known   *cache.Cache[*answer]
	unknown *cache.Cache[*answer]
	epochs  epochs

	flights  singleflight.Group
	first    room // for reads of what is not known
	renewals room // for reads of known keys that are no longer fresh
	probeAt  atomic.Int64

	reads, failures, stale, overloaded atomic.Uint64
}

// New makes a Store in front of next. It runs goroutines until Close.
func New(next keystore.Store, opts Options) *Store {
	opts.setDefaults()
	return &Store{
		next:     next,
		opts:     opts,
		known:    cache.New[*answer](opts.KeyBytes),
		unknown:  cache.New[*answer](opts.NegativeBytes),
		first:    make(room, opts.Reads),
		renewals: make(room, opts.Reads),
	}
}

// Close waits for reads under way and ends the Store's goroutines. Nothing may use the Store meanwhile or afterwards.
func (s *Store) Close() {
	s.first.shut()
	s.renewals.shut()
	s.known.Close()
	s.unknown.Close()
}

// answer is what the store said once.
type answer struct {
	keys  []*keystore.Key // none: there is no such credential
	asOf  uint64          // the epoch in which it was asked
	at    time.Time       // when it was
	slots []uint16        // what in epochs can end it
}

// question is one thing to ask the store.
type question struct {
	id  [32]byte // of the question, in caches and flights
	ask func(context.Context) ([]*keystore.Key, error)
}

// ByDigest implements [keystore.Store].
func (s *Store) ByDigest(ctx context.Context, d keystore.Digest) (*keystore.Key, error) {
	id := digestID(d)
	a, fresh := s.recall(id)
	if a != nil && len(a.keys) > 0 && !a.keys[0].Digest.Equal(d) {
		a, fresh = nil, false
	}
	if !fresh {
		var err error
		if a, err = s.learn(ctx, a, question{id, func(ctx context.Context) ([]*keystore.Key, error) {
			k, err := s.next.ByDigest(ctx, d)
			if err == nil && (k == nil || !k.Digest.Equal(d)) {
				return nil, errWrongKey
			}
			return []*keystore.Key{k}, err
		}}); err != nil {
			return nil, err
		}
	}
	if len(a.keys) == 0 {
		return nil, keystore.ErrNotFound
	}
	return a.keys[0], nil
}

// BySigningID implements [keystore.Store].
func (s *Store) BySigningID(ctx context.Context, signing string) ([]*keystore.Key, error) {
	if a, fresh := s.recall(signingID(signing)); fresh {
		return a.all()
	}
	signing = strings.Clone(signing) // a read may outlive the call, and so the request that the id aliases
	return s.several(ctx, signingID(signing),
		func(ctx context.Context) ([]*keystore.Key, error) { return s.next.BySigningID(ctx, signing) },
		func(k *keystore.Key) bool { return k.Signing.ID == signing })
}

// ByApp implements [keystore.Store].
func (s *Store) ByApp(ctx context.Context, namespace, name string) ([]*keystore.Key, error) {
	if a, fresh := s.recall(appID(namespace, name)); fresh {
		return a.all()
	}
	namespace, name = strings.Clone(namespace), strings.Clone(name)
	return s.several(ctx, appID(namespace, name),
		func(ctx context.Context) ([]*keystore.Key, error) { return s.next.ByApp(ctx, namespace, name) },
		func(k *keystore.Key) bool { return k.App.Namespace == namespace && k.App.Name == name })
}

// several asks the store for signing keys. right reports whether a key is one of those that were asked for.
func (s *Store) several(
	ctx context.Context, id [32]byte, ask func(context.Context) ([]*keystore.Key, error), right func(*keystore.Key) bool,
) ([]*keystore.Key, error) {
	old, _ := s.recall(id)
	a, err := s.learn(ctx, old, question{id, func(ctx context.Context) ([]*keystore.Key, error) {
		keys, err := ask(ctx)
		if err == nil && slices.ContainsFunc(keys, func(k *keystore.Key) bool { return k.Signing == nil || !right(k) }) {
			return nil, errWrongKey
		}
		return keys, err
	}})
	if err != nil {
		return nil, err
	}
	return a.all()
}

// all returns the keys of an answer.
func (a *answer) all() ([]*keystore.Key, error) {
	if len(a.keys) == 0 {
		return nil, keystore.ErrNotFound
	}
	return a.keys, nil
}

// recall returns what is remembered and still counts, and whether it is fresh. What is not fresh is a known key that may
// serve while the store fails. An age below zero means that the clock was set back: then nothing is known of it.
func (s *Store) recall(id [32]byte) (a *answer, fresh bool) {
	now := s.opts.Now()
	if a, ok := s.known.Get(id); ok && s.epochs.holds(a) {
		if age := now.Sub(a.at); 0 <= age && age < max(s.opts.TTL, s.opts.MaxStale) {
			return a, age < s.opts.TTL
		}
	}
	if a, ok := s.unknown.Get(id); ok && s.epochs.holds(a) {
		if age := now.Sub(a.at); 0 <= age && age < s.opts.NegativeTTL {
			return a, true
		}
	}
	return nil, false
}

// errUnsettled is the answer when what was read was revoked or changed while it was read, again and again.
var errUnsettled = errors.New("the credential is changing faster than it can be read")

// learn asks the store. old is a known key to serve while the store fails; nil if there is none.
func (s *Store) learn(ctx context.Context, old *answer, q question) (*answer, error) {
	if old != nil && !s.mayProbe() {
		s.stale.Add(1)
		return old, nil
	}
	const attempts = 3
	for range attempts {
		a, err := s.read(ctx, old != nil, q)
		switch {
		case err == nil && s.epochs.holds(a):
			return a, nil
		case err != nil && old != nil && s.epochs.holds(old):
			s.stale.Add(1)
			return old, nil
		case err != nil:
			return nil, err
		}
	}
	return nil, errUnsettled
}

// Stats is what a Store tells about itself.
type Stats struct {
	Known, Unknown cache.Stats
	Reads          uint64 // of the store
	Failures       uint64 // reads that failed
	Stale          uint64 // answers with a key that could not be renewed
	Overloaded     uint64 // reads that found no room
	Degraded       bool   // the last read failed
}

// Stats returns the counts since the Store was made, and its state.
func (s *Store) Stats() Stats {
	return Stats{
		Known: s.known.Stats(), Unknown: s.unknown.Stats(),
		Reads: s.reads.Load(), Failures: s.failures.Load(), Stale: s.stale.Load(), Overloaded: s.overloaded.Load(),
		Degraded: s.probeAt.Load() != 0,
	}
}
