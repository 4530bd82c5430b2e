package config

import (
	"errors"
	"math"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// Bytes is an amount of memory, written as a number with B, KiB, MiB or GiB.
type Bytes int64

// The units.
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
)

var units = []struct {
	suffix string
	bytes  Bytes
}{{"KiB", KiB}, {"MiB", MiB}, {"GiB", GiB}, {"B", 1}, {"", 1}}

var errBytes = errors.New("not a number of bytes")

// ParseBytes reads 32MiB, 512KiB, 1GiB, 100B or 100. Decimal units (kB, MB) are refused: they are too easily confused.
func ParseBytes(s string) (Bytes, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || n > math.MaxInt64/uint64(u.bytes) {
			return 0, errBytes
		}
		return Bytes(n) * u.bytes, nil
	}
	return 0, errBytes
}

// String returns the amount in the largest unit that divides it.
func (b Bytes) String() string {
	for _, u := range []int{2, 1, 0} { // GiB, MiB, KiB
		if b != 0 && b%units[u].bytes == 0 {
			return strconv.FormatInt(int64(b/units[u].bytes), 10) + units[u].suffix
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// Address is where to listen: host:port, :port for every interface, or unix:///path.
type Address string

const (
	unixPrefix  = "unix://"
	maxUnixPath = 107 // sun_path of unix(7) less its final zero byte
)

var errAddress = errors.New("not an address")

// Split returns the address as [net.Listen] takes it.
func (a Address) Split() (network, address string, err error) {
	if path, ok := strings.CutPrefix(string(a), unixPrefix); ok {
		if !filepath.IsAbs(path) || len(path) > maxUnixPath {
			return "", "", errAddress
		}
		return "unix", path, nil
	}
	_, port, err := net.SplitHostPort(string(a))
	if err != nil {
		return "", "", errAddress
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", "", errAddress
	}
	return "tcp", string(a), nil
}
