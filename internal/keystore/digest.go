package keystore

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
)

// Digest is what an API key is looked up by. It is comparable, so that it can index a map.
type Digest struct {
	Pepper string // id of the pepper of an hmac-sha256 digest; empty for a plain sha256
	Sum    [sha256.Size]byte
}

// The algorithms of digests, as they are written.
const (
	algorithmSHA256 = "sha256"
	algorithmHMAC   = "hmac-sha256"
)

var errDigest = errors.New("a digest is sha256:<64 hex digits> or hmac-sha256:<pepper id>:<64 hex digits>")

// ParseDigest reads what [Digest.String] writes: hexadecimal digits in lower case. Its error does not repeat the text,
// which may be a key that somebody put in the wrong place.
func ParseDigest(text string) (Digest, error) {
	var d Digest
	algorithm, rest, _ := strings.Cut(text, ":")
	switch algorithm {
	case algorithmSHA256:
	case algorithmHMAC:
		d.Pepper, rest, _ = strings.Cut(rest, ":")
		if !isPepperID(d.Pepper) {
			return Digest{}, errDigest
		}
	default:
		return Digest{}, errDigest
	}
	if len(rest) != hex.EncodedLen(sha256.Size) || rest != strings.ToLower(rest) {
		return Digest{}, errDigest
	}
	if _, err := hex.Decode(d.Sum[:], []byte(rest)); err != nil {
		return Digest{}, errDigest
	}
	return d, nil
}

// String returns sha256:<64 hex> or hmac-sha256:<pepper id>:<64 hex>.
func (d Digest) String() string {
	sum := hex.EncodeToString(d.Sum[:])
	if d.Pepper == "" {
		return algorithmSHA256 + ":" + sum
	}
	return algorithmHMAC + ":" + d.Pepper + ":" + sum
}

// Equal compares in a time that does not depend on the sums.
func (d Digest) Equal(o Digest) bool {
	return subtle.ConstantTimeCompare(d.Sum[:], o.Sum[:]) == 1 && d.Pepper == o.Pepper
}

// isPepperID reports whether s is 1 to 64 letters, digits, '-', '_' or '.'.
func isPepperID(s string) bool {
	for i := range len(s) {
		if c := s[i]; digitValue[c] < 0 && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 64
}
