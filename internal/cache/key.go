package cache

import (
	"crypto/sha256"
	"encoding/binary"
)

// onStack is how many bytes of parts Key digests without allocating: more than API keys and most tokens have.
const onStack = 2 << 10

// Key returns the SHA-256 digest of the parts, each preceded by its length, so that ("ab", "c") and ("a", "bc") differ.
// The parts are all that a cached fact depends on: its kind, its source, the source's generation, the credential.
func Key(parts ...string) [sha256.Size]byte {
	var stack [onStack]byte
	text := stack[:0]
	for _, part := range parts {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	return sha256.Sum256(text)
}
