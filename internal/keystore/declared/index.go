package declared

import (
	"encoding/binary"
	"math/bits"

	"github.com/postern-auth/postern/internal/keystore"
)

// index finds API keys by digest. It is an open-addressing table of positions in keys: four bytes a slot, at most half
// of the slots in use. A digest is uniform by itself, so its own bits choose the slot; whoever presents keys cannot
// choose their digests' bits, and what is in the table is chosen by those who write resources.
type index struct {
	keys  []keystore.Key
	slots []uint32 // 1 + position in keys; 0: free
	mask  uint64
}

func newIndex(capacity int) *index {
	size := max(1<<bits.Len(uint(2*capacity)), 2)
	return &index{keys: make([]keystore.Key, 0, capacity), slots: make([]uint32, size), mask: uint64(size) - 1}
}

// add enters a key whose digest is not there yet, within the capacity, and returns where it stays.
func (x *index) add(k keystore.Key) *keystore.Key {
	at := x.slot(k.Digest)
	for x.slots[at] != 0 {
		at = (at + 1) & x.mask
	}
	x.keys = append(x.keys, k)
	x.slots[at] = uint32(len(x.keys)) // four billion keys do not fit in memory
	return &x.keys[len(x.keys)-1]
}

// find returns the key with the digest, nil if there is none.
func (x *index) find(d keystore.Digest) *keystore.Key {
	for at := x.slot(d); ; at = (at + 1) & x.mask {
		n := x.slots[at]
		if n == 0 {
			return nil
		}
		if k := &x.keys[n-1]; k.Digest.Equal(d) {
			return k
		}
	}
}

func (x *index) slot(d keystore.Digest) uint64 { return binary.LittleEndian.Uint64(d.Sum[:]) & x.mask }
