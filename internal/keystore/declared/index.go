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
	slots []slot
	mask  uint64
}

// slot is a place of the table. The digest's first bits stand beside the key, so that passing by a slot of another key
// does not read that key: it is in memory that nothing has read lately.
type slot struct {
	head uint64
	key  *keystore.Key // nil: free
}

func newIndex(capacity int) *index {
	size := max(1<<bits.Len(uint(2*capacity)), 2)
	return &index{slots: make([]slot, size), mask: uint64(size) - 1}
}

// add enters a key, within the capacity.
func (x *index) add(k *keystore.Key) {
	head := firstBits(k.Digest)
	at := head & x.mask
	for x.slots[at].key != nil {
		at = (at + 1) & x.mask
	}
	x.slots[at] = slot{head, k}
}

// find returns the key with the digest, nil if there is none: of several the first that is wanted, else the first.
func (x *index) find(d keystore.Digest, wanted func(*keystore.Key) bool) *keystore.Key {
	var first *keystore.Key
	head := firstBits(d)
	for at := head & x.mask; ; at = (at + 1) & x.mask {
		switch s := x.slots[at]; {
		case s.key == nil:
			return first
		case s.head != head || !s.key.Digest.Equal(d):
		case wanted(s.key):
			return s.key
		case first == nil:
			first = s.key
		}
	}
}

func anyKey(*keystore.Key) bool { return true }

func firstBits(d keystore.Digest) uint64 { return binary.LittleEndian.Uint64(d.Sum[:]) }
