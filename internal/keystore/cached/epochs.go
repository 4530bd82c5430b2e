package cached

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/postern-auth/postern/internal/cache"
	"github.com/postern-auth/postern/internal/keystore"
)

// epochs says which answers still count. Time is divided into epochs; forgetting begins a new one and notes its number
// in the slot of what is forgotten. An answer notes the epoch before it was asked for, and counts unless one of its
// slots, or those of everything, holds a later number.
//
// So it does not matter when an answer arrives in the cache, or that it cannot be taken out of a queue before it. Things
// that share a slot are forgotten together, which costs a read. Readers take no lock.
type epochs struct {
	mu      sync.Mutex
	current atomic.Uint64
	all     atomic.Uint64 // every answer
	unknown atomic.Uint64 // answers without keys
	slots   [4096]atomic.Uint64
}

// holds reports whether an answer still counts.
func (e *epochs) holds(a *answer) bool {
	if e.all.Load() > a.asOf || len(a.keys) == 0 && e.unknown.Load() > a.asOf {
		return false
	}
	for _, slot := range a.slots {
		if e.slots[slot].Load() > a.asOf {
			return false
		}
	}
	return true
}

// end begins an epoch before which nothing counts that the marks stand for. The store has changed already, so what is
// asked for in the new epoch counts even if the marks are still to come.
func (e *epochs) end(marks ...*atomic.Uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	epoch := e.current.Add(1)
	for _, m := range marks {
		m.Store(epoch)
	}
}

// Forget drops what is known of an API key: it was revoked, changed or made. Call it after the store has changed.
func (s *Store) Forget(d keystore.Digest) { s.epochs.end(s.epochs.slot(digestID(d))) }

// ForgetSigningID drops what is known of the signing keys with the id. A new one is a change of its App: then call
// ForgetApp too.
func (s *Store) ForgetSigningID(id string) { s.epochs.end(s.epochs.slot(signingID(id))) }

// ForgetApp drops what is known of every credential of the App, and all that is known not to exist, since one of that
// may be a new credential of it.
func (s *Store) ForgetApp(namespace, name string) {
	s.epochs.end(&s.epochs.slots[appSlot(namespace+"/"+name)], &s.epochs.unknown)
}

// ForgetAll drops everything.
func (s *Store) ForgetAll() { s.epochs.end(&s.epochs.all) }

func (e *epochs) slot(id [32]byte) *atomic.Uint64 { return &e.slots[idSlot(id)] }

// slotsOf returns the slots of an answer: its question's, and those of its keys' Apps and signing ids.
func slotsOf(id [32]byte, keys []*keystore.Key) []uint16 {
	slots := make([]uint16, 1, 1+2*len(keys))
	slots[0] = idSlot(id)
	for _, k := range keys {
		slots = append(slots, appSlot(k.App.Namespace+"/"+k.App.Name))
		if k.Signing != nil {
			slots = append(slots, idSlot(signingID(k.Signing.ID)))
		}
	}
	return slots
}

const slotMask = 4096 - 1

func idSlot(id [32]byte) uint16 { return binary.LittleEndian.Uint16(id[8:]) & slotMask }

var appSeed = maphash.MakeSeed()

func appSlot(app string) uint16 { return uint16(maphash.String(appSeed, app) & slotMask) }

func digestID(d keystore.Digest) [32]byte { return cache.Key("api key", d.Pepper, string(d.Sum[:])) }

func signingID(id string) [32]byte { return cache.Key("signing key", id) }

func appID(namespace, name string) [32]byte { return cache.Key("signing keys of", namespace, name) }
