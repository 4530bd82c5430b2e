package keystore

import "crypto/sha256"

// Digest is what an API key is looked up by. It is comparable, so that it can index a map.
type Digest struct {
	Pepper string // id of the pepper of an hmac-sha256 digest; empty for a plain sha256
	Sum    [sha256.Size]byte
}
