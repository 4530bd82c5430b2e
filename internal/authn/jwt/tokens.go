package jwt

import (
	"time"

	"github.com/postern-auth/postern/internal/cache"
)

// Tokens remembers what verified tokens say, for all schemes. Only tokens whose signature held get in, so that no
// flood of bad ones pushes out the good.
type Tokens struct{ facts *cache.Cache[*facts] }

// NewTokens makes one that takes up to maxBytes; with 0 it remembers nothing. Close it in the end.
func NewTokens(maxBytes int64) *Tokens { return &Tokens{cache.New[*facts](maxBytes)} }

// tokenID is the digest of a scheme's identity and a token's text.
type tokenID [32]byte

func newTokenID(identity, text string) tokenID { return cache.Key("jwt", identity, text) }

func (t *Tokens) find(id tokenID) (*facts, bool) {
	if t == nil {
		return nil, false
	}
	return t.facts.Get(id)
}

// add remembers f until its token expires. size is the token's length; decoded, its claims take up to about four times
// that.
func (t *Tokens) add(id tokenID, f *facts, size int, now time.Time) {
	if t != nil {
		t.facts.Set(id, f, 512+4*int64(size), f.window.notAfter.Sub(now))
	}
}

// Stats tells how much is remembered and found.
func (t *Tokens) Stats() cache.Stats { return t.facts.Stats() }

// Close ends the goroutines. No scheme may use t any more.
func (t *Tokens) Close() { t.facts.Close() }
