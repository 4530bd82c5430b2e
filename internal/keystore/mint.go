package keystore

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// The format of minted keys: a prefix that ends in '_', then bodyLength base62 characters of 256 random bits, then
// checkLength base62 characters of the CRC-32 (IEEE) of all that stands before them.
const (
	DefaultPrefix = "pk_"

	bodyLength  = 43 // 62^43 > 2^256
	checkLength = 6  // 62^6 > 2^32
	maxPrefix   = 32
)

// base62 are the digits, the most significant of a number written first.
const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// digitValue gives a base62 digit's value, and -1 for other bytes.
var digitValue = func() (values [256]int8) {
	for i := range values {
		values[i] = int8(strings.IndexByte(base62, byte(i))) // at most 61
	}
	return values
}()

var errPrefix = errors.New("a key's prefix is up to 32 letters, digits, '-' and '_' and ends in '_', like pk_")

// Mint makes a new API key from 256 random bits.
func Mint(prefix string) (authz.Secret, error) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // it never fails
	return mint(prefix, random)
}

func mint(prefix string, random [32]byte) (authz.Secret, error) {
	if !isPrefix(prefix) {
		return "", errPrefix
	}
	key := make([]byte, 0, len(prefix)+bodyLength+checkLength)
	key = append(key, prefix...)
	key = appendBase62(key, random[:], bodyLength)
	sum := checksum(string(key))
	key = appendBase62(key, binary.BigEndian.AppendUint32(nil, sum), checkLength)
	return authz.Secret(key), nil
}

// IsMinted reports whether the key has the form of a minted one, with whatever prefix, and a checksum that fits. It
// takes the same time for every key of a length.
func IsMinted(key authz.Secret) bool {
	const tail = bodyLength + checkLength
	text := string(key)
	if len(text) <= tail || len(text) > maxPrefix+tail {
		return false
	}
	prefix, numbers := text[:len(text)-tail], text[len(text)-tail:]
	var foreign int8 // negative if a byte is no digit
	var claimed uint64
	for i := range len(numbers) {
		value := digitValue[numbers[i]]
		foreign |= value
		if i >= bodyLength {
			claimed = claimed*62 + uint64(uint8(value)) // of no matter when it is negative
		}
	}
	return isPrefix(prefix) && foreign >= 0 && claimed == uint64(checksum(text[:len(text)-checkLength]))
}

// checksum is crc32.ChecksumIEEE of a string, which that would copy to the heap.
func checksum(s string) uint32 {
	crc := ^uint32(0)
	for i := range len(s) {
		crc = crc32.IEEETable[byte(crc)^s[i]] ^ crc>>8
	}
	return ^crc
}

// isPrefix reports whether s may stand before a key's random part.
func isPrefix(s string) bool {
	for i := range len(s) {
		if c := s[i]; digitValue[c] < 0 && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxPrefix && s[len(s)-1] == '_'
}

// appendBase62 appends the big-endian number in exactly width digits. It consumes number.
func appendBase62(dst, number []byte, width int) []byte {
	start := len(dst)
	for range width {
		remainder := 0
		for i, b := range number {
			n := remainder<<8 | int(b)
			number[i], remainder = byte(n/62), n%62 // remainder < 62, so n/62 < 256
		}
		dst = append(dst, base62[remainder])
	}
	for i, j := start, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}
