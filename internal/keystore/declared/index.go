package declared

import (
	"encoding/binary"
	"math/bits"

	"github.com/postern-auth/postern/internal/keystore"
)

// index finds API keys by digest. It is an open-addressing table, at most half of its slots in use. A digest is uniform
// by itself, so its own bits choose the slot; whoever presents keys cannot choose their digests' bits, and what is in
// the table is chosen by those who write resources.
type index struct {
	slots []*keystore.Key // nil: free
	mask  uint64
}

func newIndex(capacity int) *index {
	size := max(1<<bits.Len(uint(2*capacity)), 2)
	return &index{slots: make([]*keystore.Key, size), mask: uint64(size) - 1}
}

// add enters a key, within the capacity.
func (x *index) add(k *keystore.Key) {
	at := x.slot(k.Digest)
	for x.slots[at] != nil {
		at = (at + 1) & x.mask
	}
	x.slots[at] = k
}

// find returns the key with the digest, nil if there is none: of several the first that is wanted, else the first.
func (x *index) find(d keystore.Digest, wanted func(*keystore.Key) bool) *keystore.Key {
	var first *keystore.Key
	for at := x.slot(d); ; at = (at + 1) & x.mask {
		switch k := x.slots[at]; {
		case k == nil:
			return first
		case !k.Digest.Equal(d):
		case wanted(k):
			return k
		case first == nil:
			first = k
		}
	}
}

func anyKey(*keystore.Key) bool { return true }

func (x *index) slot(d keystore.Digest) uint64 { return binary.LittleEndian.Uint64(d.Sum[:]) & x.mask }
