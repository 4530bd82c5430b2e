package keystore

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/postern-auth/postern/internal/authz"
)

// minPepper is the least that a pepper may hold, in bytes.
const minPepper = 16

// Pepper is a secret that digests of API keys are made with, so that who copies a store of imported, guessable keys
// still cannot test guesses.
type Pepper struct {
	ID     string // 1 to 64 letters, digits, '-', '_' or '.'
	Secret authz.Secret
}

// ParsePeppers reads a pepper file. Each line is
//
//	<id>:<standard base64 of at least 16 bytes>
//
// Empty lines and lines that begin with # do not count. To rotate, add a line: digests name the pepper they were made
// with. Errors name the line and never its text.
func ParsePeppers(file []byte) ([]Pepper, error) {
	var peppers []Pepper
	seen := map[string]bool{}
	number := 0
	for line := range bytes.Lines(file) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		id, text, _ := bytes.Cut(line, []byte(":"))
		secret, err := base64.StdEncoding.Strict().DecodeString(string(text))
		switch {
		case !isPepperID(string(id)):
			return nil, fmt.Errorf("line %d: the pepper's id is not 1 to 64 letters, digits, '-', '_' or '.'; write <id>:<base64>", number)
		case seen[string(id)]:
			return nil, fmt.Errorf("line %d: pepper %s stands in the file twice; give the new one another id", number, id)
		case err != nil:
			return nil, fmt.Errorf("line %d: pepper %s is not standard base64; make one with: openssl rand -base64 32", number, id)
		case len(secret) < minPepper:
			return nil, fmt.Errorf("line %d: pepper %s has %d bytes, fewer than %d; make one with: openssl rand -base64 32", number, id, len(secret), minPepper)
		}
		seen[string(id)] = true
		peppers = append(peppers, Pepper{ID: string(id), Secret: authz.Secret(secret)})
	}
	return peppers, nil
}

// Hasher makes the digests of presented keys: a plain SHA-256, and one HMAC for each pepper. It is safe for concurrent
// use. The zero Hasher makes none, so that nothing is found.
type Hasher struct {
	macs *atomic.Pointer[[]*mac] // shared by those that Only makes of one
	only []string                // pepper ids, "" standing for plain; nil: all
}

// NewHasher makes a Hasher for plain digests and those with the peppers.
func NewHasher(peppers ...Pepper) *Hasher {
	h := &Hasher{macs: new(atomic.Pointer[[]*mac])}
	h.Use(peppers...)
	return h
}

// Use puts other peppers in the place of those before, also in every Hasher that Only has made of this one.
func (h *Hasher) Use(peppers ...Pepper) {
	macs := make([]*mac, len(peppers))
	for i, p := range peppers {
		macs[i] = newMAC(p)
	}
	h.macs.Store(&macs)
}

// Only returns a Hasher that makes no digests but those with the pepper ids, of which "" stands for plain: a store that
// knows which it holds spares every check the others.
func (h *Hasher) Only(ids ...string) *Hasher {
	only := &Hasher{macs: h.macs, only: []string{}}
	for _, id := range ids {
		if h.may(id) {
			only.only = append(only.only, id)
		}
	}
	return only
}

// may reports whether the Hasher makes digests with the pepper, if there is one.
func (h *Hasher) may(id string) bool {
	return h.macs != nil && (h.only == nil || slices.Contains(h.only, id))
}

// peppered returns what makes the digests with a pepper, in the order of the peppers.
func (h *Hasher) peppered() []*mac {
	if h.macs == nil {
		return nil
	}
	return *h.macs.Load()
}

// Has reports whether the Hasher makes digests with the pepper; "" stands for plain ones.
func (h *Hasher) Has(pepperID string) bool {
	return h.may(pepperID) &&
		(pepperID == "" || slices.ContainsFunc(h.peppered(), func(m *mac) bool { return m.id == pepperID }))
}

// AppendDigests appends to dst every digest of the key, the plain one last: others can be made by nobody who has no
// pepper.
func (h *Hasher) AppendDigests(dst []Digest, key authz.Secret) []Digest {
	for _, m := range h.peppered() {
		if h.may(m.id) {
			dst = append(dst, m.digest(key))
		}
	}
	if h.may("") {
		dst = append(dst, plain(key))
	}
	return dst
}

// Digest returns the digest of the key under which a store is to keep it: with the pepper, or plain if pepperID is "".
func (h *Hasher) Digest(pepperID string, key authz.Secret) (Digest, error) {
	if digests := h.Only(pepperID).AppendDigests(nil, key); len(digests) == 1 {
		return digests[0], nil
	}
	return Digest{}, fmt.Errorf("no pepper has the id %q; add it to the pepper file", pepperID)
}

// Keep returns the digest of a key that a store is given as text: with the first pepper, plain if there is none.
func (h *Hasher) Keep(key authz.Secret) Digest {
	for _, m := range h.peppered() {
		if h.may(m.id) {
			return m.digest(key)
		}
	}
	return plain(key)
}

func plain(key authz.Secret) Digest {
	var stack [256]byte // converting the key itself would copy it to the heap
	return Digest{Sum: sha256.Sum256(append(stack[:0], key...))}
}

// mac makes digests with one pepper.
type mac struct {
	id   string
	pool sync.Pool // of *keyed: a keyed hash is dear to make
}

type keyed struct {
	hash hash.Hash
	text []byte
}

func newMAC(p Pepper) *mac {
	secret := []byte(p.Secret.Reveal())
	return &mac{id: p.ID, pool: sync.Pool{New: func() any { return &keyed{hash: hmac.New(sha256.New, secret)} }}}
}

func (m *mac) digest(key authz.Secret) Digest {
	k := m.pool.Get().(*keyed) // the pool holds nothing else
	k.text = append(k.text[:0], key...)
	k.hash.Write(k.text)
	clear(k.text)
	k.text = k.hash.Sum(k.text[:0])
	d := Digest{Pepper: m.id, Sum: [sha256.Size]byte(k.text)}
	k.hash.Reset()
	m.pool.Put(k)
	return d
}
