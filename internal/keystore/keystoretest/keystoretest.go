// Package keystoretest is the law that every keystore.Store obeys. A backend's own test opens a store that holds given
// keys and hands it to [Test].
package keystoretest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
)

// Open makes a store that holds these keys and nothing else. What it needs ends with t. Keys of the same App share
// their *keystore.App; a credential's name is the last part of its key's ID.
type Open func(t *testing.T, keys []*keystore.Key) keystore.Store

// Test holds a store to the contract of keystore.Store.
func Test(t *testing.T, open Open) {
	t.Run("an empty store finds nothing", func(t *testing.T) {
		s := open(t, nil)
		notFound(t, s, Digest("any"))
		signingIDs(t, s, "any")
		signersOf(t, s, "any", "any")
	})
	t.Run("every key is found by its digest, as it was stored", func(t *testing.T) {
		keys := Keys()
		s := open(t, keys)
		for _, want := range keys {
			if want.Signing == nil {
				found(t, s, want.Digest, want)
			}
		}
	})
	t.Run("only the whole digest finds a key", testWholeDigest(open))
	t.Run("every signing key is found by its id, in all namespaces", testSigning(open))
	t.Run("an App's signing keys are found, and no others", testByApp(open))
	t.Run("a signing key has no digest and an API key no signing id", func(t *testing.T) {
		s := open(t, Keys())
		notFound(t, s, keystore.Digest{})
		signingIDs(t, s, "")
		signingIDs(t, s, "current")
		signingIDs(t, s, "shop/acme/current")
	})
	t.Run("a cancelled caller never hears that a key does not exist", testCancelled(open))
	t.Run("it is safe for concurrent use", testConcurrent(open))
}

func testWholeDigest(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		keys := Keys()
		s := open(t, keys)
		for _, k := range keys {
			if k.Signing != nil {
				continue
			}
			for i := range k.Digest.Sum {
				d := k.Digest
				d.Sum[i] ^= 1
				notFound(t, s, d)
			}
			d := k.Digest
			d.Pepper += "x"
			notFound(t, s, d)
			if d.Pepper = ""; k.Digest.Pepper != "" {
				notFound(t, s, d)
			}
			found(t, s, k.Digest, k) // whatever was asked before
		}
	}
}

func testSigning(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		keys := Keys()
		s := open(t, keys)
		byID := map[string][]*keystore.Key{}
		for _, k := range keys {
			if k.Signing != nil {
				byID[k.Signing.ID] = append(byID[k.Signing.ID], k)
			}
		}
		if len(byID) == 0 || len(byID["shared"]) < 2 {
			t.Fatal("the keys do not test this")
		}
		for id, want := range byID {
			signingIDs(t, s, id, want...)
		}
		for _, near := range []string{"", "share", "shared ", " shared", "SHARED", "share_", "shared%", "%", "*", "shared\x00", strings.Repeat("a", 4096)} {
			signingIDs(t, s, near)
		}
	}
}

func testByApp(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		keys := Keys()
		s := open(t, keys)
		type app struct{ namespace, name string }
		byApp := map[app][]*keystore.Key{}
		for _, k := range keys {
			a := app{k.App.Namespace, k.App.Name}
			byApp[a] = append(byApp[a], keep(k)...)
		}
		several := false
		for a, want := range byApp {
			signersOf(t, s, a.namespace, a.name, want...)
			signersOf(t, s, a.name, a.namespace)
			signersOf(t, s, "", a.namespace+"/"+a.name)
			several = several || len(want) > 1
		}
		if !several {
			t.Fatal("the keys do not test this")
		}
	}
}

// keep returns the key if it is a signing key.
func keep(k *keystore.Key) []*keystore.Key {
	if k.Signing == nil {
		return nil
	}
	return []*keystore.Key{k}
}

func testCancelled(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		keys := Keys()
		s := open(t, keys)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for _, want := range keys {
			if want.Signing != nil {
				if _, err := s.BySigningID(ctx, want.Signing.ID); errors.Is(err, keystore.ErrNotFound) {
					t.Errorf("%s: %v", want.ID, err)
				}
				if _, err := s.ByApp(ctx, want.App.Namespace, want.App.Name); errors.Is(err, keystore.ErrNotFound) {
					t.Errorf("%s by its App: %v", want.ID, err)
				}
				continue
			}
			got, err := s.ByDigest(ctx, want.Digest)
			if errors.Is(err, keystore.ErrNotFound) || err == nil && got == nil {
				t.Errorf("%s: %v, %v", want.ID, got, err)
			}
		}
	}
}

func testConcurrent(open Open) func(t *testing.T) {
	return func(t *testing.T) {
		keys := Keys()
		s := open(t, keys)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for _, k := range keys {
					if k.Signing == nil {
						found(t, s, k.Digest, k)
						notFound(t, s, Digest(k.ID+" unknown"))
					} else if _, err := s.BySigningID(context.Background(), k.Signing.ID); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func found(t *testing.T, s keystore.Store, d keystore.Digest, want *keystore.Key) {
	t.Helper()
	got, err := s.ByDigest(context.Background(), d)
	if err != nil {
		t.Errorf("%s by %v: %v", want.ID, d, err)
		return
	}
	if diff := Diff(want, got); diff != "" {
		t.Errorf("%s: -stored +found\n%s", want.ID, diff)
	}
}

func notFound(t *testing.T, s keystore.Store, d keystore.Digest) {
	t.Helper()
	if got, err := s.ByDigest(context.Background(), d); !errors.Is(err, keystore.ErrNotFound) || got != nil {
		t.Errorf("%v: found %v, %v", d, got, err)
	}
}

// signingIDs expects exactly these keys, in any order; none: ErrNotFound.
func signingIDs(t *testing.T, s keystore.Store, id string, want ...*keystore.Key) {
	t.Helper()
	got, err := s.BySigningID(context.Background(), id)
	exactly(t, "signing id "+id, got, err, want)
}

// signersOf expects exactly these signing keys of an App, in any order; none: ErrNotFound.
func signersOf(t *testing.T, s keystore.Store, namespace, name string, want ...*keystore.Key) {
	t.Helper()
	got, err := s.ByApp(context.Background(), namespace, name)
	exactly(t, "App "+namespace+"/"+name, got, err, want)
}

func exactly(t *testing.T, what string, got []*keystore.Key, err error, want []*keystore.Key) {
	t.Helper()
	if len(want) == 0 {
		if !errors.Is(err, keystore.ErrNotFound) || len(got) > 0 {
			t.Errorf("%q: found %v, %v", what, got, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%q: %v", what, err)
		return
	}
	byID := func(a, b *keystore.Key) int { return strings.Compare(a.ID, b.ID) }
	if diff := Diff(slices.SortedFunc(slices.Values(want), byID), slices.SortedFunc(slices.Values(got), byID)); diff != "" {
		t.Errorf("%q: -stored +found\n%s", what, diff)
	}
}

// Diff compares keys, or slices of keys, by all they say; it is empty if they are equal.
func Diff(want, got any) string {
	return cmp.Diff(want, got,
		cmp.Comparer(func(a, b authz.Scopes) bool { return slices.Equal(a.List(), b.List()) }),
		cmp.Comparer(func(a, b authz.Secret) bool { return a == b }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b map[string]string) bool {
			return len(a) == len(b) && cmp.Equal(a, b) || len(a)+len(b) == 0
		}),
		cmp.Comparer(func(a, b ed25519.PublicKey) bool { return a.Equal(b) }),
	)
}

// Digest is the plain digest of a key's text.
func Digest(text string) keystore.Digest { return keystore.Digest{Sum: sha256.Sum256([]byte(text))} }
