package keystore

import (
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
)

// vectors were computed by an independent program.
var vectors = []struct{ prefix, random, key, sha256, hmac string }{
	{
		"pk_", strings.Repeat("00", 32), "pk_00000000000000000000000000000000000000000001zqVSB",
		"cbb3c52379cd00a0153043b1d2f78b117faa94135b2e66aa306bdd09d303ab57",
		"d479696cdf2e5e793b6ffe6161a4014a31c4515c21f74ff1fc6d3297b1228419",
	},
	{
		"pk_", strings.Repeat("ff", 32), "pk_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp13dVO0t",
		"412c37cce60e87b117b449324941b16101de6819d9a193f0a07c3626a26c1873",
		"74e5eb623aaccb93b87a879142d4e0057f9f53b03086b1db659173975f9516c7",
	},
	{
		"pk_", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "pk_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1AmNxv",
		"dc8a8bb91b27c1fbac0b90a028edbdb38db04f6eeb0962d5057f7c0c4ff2fa10",
		"e998c79d9266c31e91e65a593115cc8613d3aaeca8d10e8d384f83afdc282ad4",
	},
	{
		"acme-live_", "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f", "acme-live_7cMxemzhJjkW31yzTx5H07wJF2A2uBEOEec26ubYMsJ1sBYIT",
		"e2a63e49f637e926335e05dc67358d31822a17d7ad5882ef5c8af61e8a603572",
		"5bdc09681c7237fd2c0a0e425b47775450f3d4f5f23c1ee4b8e8cb1e9f8ce063",
	},
}

func TestMintVectors(t *testing.T) {
	for _, v := range vectors {
		random, err := hex.DecodeString(v.random)
		if err != nil {
			t.Fatal(err)
		}
		key, err := mint(v.prefix, [32]byte(random))
		if err != nil || key.Reveal() != v.key {
			t.Errorf("minted %q, %v; want %q", key.Reveal(), err, v.key)
		}
		if !IsMinted(authz.Secret(v.key)) {
			t.Errorf("%q does not count as minted", v.key)
		}
	}
}

func TestMint(t *testing.T) {
	shape := regexp.MustCompile(`^pk_[0-9A-Za-z]{49}$`)
	seen := map[authz.Secret]bool{}
	for range 1000 {
		key, err := Mint(DefaultPrefix)
		if err != nil || !shape.MatchString(key.Reveal()) || !IsMinted(key) || seen[key] {
			t.Fatalf("%q, %v, seen %v", key.Reveal(), err, seen[key])
		}
		seen[key] = true
	}
}

func TestMintRefusesPrefixes(t *testing.T) {
	for _, prefix := range []string{"", "pk", "pk-", "p k_", "pk_é_", "a.b_", "pk_\n_", strings.Repeat("a", 32) + "_"} {
		if key, err := Mint(prefix); !errors.Is(err, errPrefix) || key != "" {
			t.Errorf("%q: %q, %v", prefix, key.Reveal(), err)
		}
	}
	if want := "a key's prefix is up to 32 letters, digits, '-' and '_' and ends in '_', like pk_"; errPrefix.Error() != want {
		t.Error(errPrefix)
	}
	for _, prefix := range []string{"_", "pk_", "live_pk_", strings.Repeat("a", 31) + "_"} {
		if key, err := Mint(prefix); err != nil || !IsMinted(key) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

// TestIsMintedSeesEveryChange changes each character of a key into every other byte.
func TestIsMintedSeesEveryChange(t *testing.T) {
	for _, v := range vectors {
		for i := range len(v.key) {
			for c := range 256 {
				if changed := []byte(v.key); changed[i] != byte(c) {
					changed[i] = byte(c)
					if IsMinted(authz.Secret(changed)) {
						t.Fatalf("%q counts as minted", changed)
					}
				}
			}
		}
		for _, other := range []string{"", v.key[1:], v.key[:len(v.key)-1], v.key + "0", " " + v.key, v.key + "\n", v.key + v.key, strings.ToLower(v.key)} {
			if IsMinted(authz.Secret(other)) {
				t.Errorf("%q counts as minted", other)
			}
		}
	}
}

func FuzzIsMinted(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.key)
	}
	for _, seed := range []string{"", "pk_", strings.Repeat("z", 52), "pk_" + strings.Repeat("z", 49), strings.Repeat("_", 60)} {
		f.Add(seed)
	}
	shape := regexp.MustCompile(`^[0-9A-Za-z_-]{0,31}_[0-9A-Za-z]{49}$`)
	f.Fuzz(func(t *testing.T, key string) {
		got := IsMinted(authz.Secret(key))
		want := shape.MatchString(key)
		if want {
			before := len(key) - checkLength
			sum := crcDigits(key[:before])
			want = key[before:] == sum
			if !IsMinted(authz.Secret(key[:before] + sum)) {
				t.Fatalf("%q with its checksum %s does not count as minted", key[:before], sum)
			}
		}
		if got != want {
			t.Fatalf("IsMinted(%q) = %v", key, got)
		}
	})
}

// crcDigits is the checksum, computed bit by bit.
func crcDigits(s string) string {
	crc := ^uint32(0)
	for i := range len(s) {
		crc ^= uint32(s[i])
		for range 8 {
			crc = crc>>1 ^ 0xEDB88320*(crc&1)
		}
	}
	crc = ^crc
	var digits [checkLength]byte
	for i := checkLength - 1; i >= 0; i-- {
		digits[i] = base62[crc%62]
		crc /= 62
	}
	return string(digits[:])
}

func TestIsMintedDoesNotAllocate(t *testing.T) {
	key := authz.Secret(vectors[0].key)
	if n := testing.AllocsPerRun(100, func() { IsMinted(key) }); n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}

func BenchmarkIsMinted(b *testing.B) {
	key := authz.Secret(vectors[2].key)
	b.ReportAllocs()
	for b.Loop() {
		if !IsMinted(key) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkMint(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Mint(DefaultPrefix); err != nil {
			b.Fatal(err)
		}
	}
}
