package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/cached"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/test/harness"
)

// replica is what a server knows of stored keys: a Store, a cache, and somebody who follows what changes.
type replica struct {
	*sqlstore.Store

	cache *cached.Store
	ahead atomic.Int64  // of time; the cache and checks live by it
	heard sync.Map      // of sqlstore.Change: what the follower was told of
	begun chan struct{} // closed when it was told that everything may have changed
}

// sealer seals what tests store.
var sealer = keystoretest.Sealer()

// open opens a Store and prepares it.
func open(t testing.TB, o sqlstore.Options) *sqlstore.Store {
	t.Helper()
	o.Migrate, o.Sealer = true, sealer
	s, err := sqlstore.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// newReplica opens a replica, which follows changes from then on.
func newReplica(t testing.TB, o sqlstore.Options) *replica {
	t.Helper()
	r := cachedOnly(t, open(t, o))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		begin := sync.OnceFunc(func() { close(r.begun) })
		_ = r.Follow(ctx, func(c sqlstore.Changes) {
			c.Forget(r.cache)
			for _, one := range c.List {
				r.heard.Store(one, true)
			}
			if c.All {
				begin()
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	<-r.begun
	return r
}

// cachedOnly puts a cache in front of a Store that nobody follows.
func cachedOnly(t testing.TB, s *sqlstore.Store) *replica {
	r := &replica{Store: s, begun: make(chan struct{})}
	r.cache = cached.New(s, cached.Options{Now: r.now})
	t.Cleanup(r.cache.Close)
	return r
}

// listens waits until the replica hears notifications.
func (r *replica) listens(t testing.TB) {
	t.Helper()
	await(t, "the replica listens", func() bool { return r.Store.Stats().Listening })
}

func (r *replica) now() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }

// advance lets time pass for the replica's cache and checks.
func (r *replica) advance(d time.Duration) { r.ahead.Add(int64(d)) }

// hears waits until the replica has forgotten the key because it was told so.
func (r *replica) hears(t testing.TB, key sqlstore.Key) {
	t.Helper()
	await(t, "the replica hears of the change", func() bool {
		_, heard := r.heard.Load(sqlstore.Change{App: acme, Digest: key.Digest, SigningID: key.SigningID})
		return heard
	})
}

// check answers as a request with the key would be, within the time: nil if it is let through.
func (r *replica) check(within time.Duration, key sqlstore.Key) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var found *keystore.Key
	if key.SigningID == "" {
		k, err := r.cache.ByDigest(ctx, key.Digest)
		if err != nil {
			return err
		}
		found = k
	} else {
		keys, err := r.cache.BySigningID(ctx, key.SigningID)
		if err != nil {
			return err
		}
		found = keys[0]
	}
	if found.ID != key.String() {
		return errAnother
	}
	return found.Check(r.now())
}

var errAnother = errors.New("this is another key than the one asked for")

// patience is what waiting has when it is not about time.
const patience = 30 * time.Second

// good expects the key to be let through.
func (r *replica) good(t testing.TB, key sqlstore.Key) {
	t.Helper()
	if err := r.check(patience, key); err != nil {
		t.Fatalf("%s: %v", key.KeyName, err)
	}
}

// remembers waits until keys that are good stand in the cache.
func (r *replica) remembers(t testing.TB, keys ...sqlstore.Key) {
	t.Helper()
	for _, k := range keys {
		await(t, "the key is in the cache", func() bool {
			before := r.cache.Stats().Reads
			r.good(t, k)
			return r.cache.Stats().Reads == before
		})
	}
}

// refused reports whether the key is refused because of what it is, not because nobody could tell.
func (r *replica) refused(key sqlstore.Key) bool {
	return isRefusal(r.check(patience, key))
}

func isRefusal(err error) bool {
	return errors.Is(err, keystore.ErrNotFound) || authz.ReasonOf(err) == authz.ReasonKeyRevoked
}

// acme is the App of most tests.
var acme = sqlstore.AppName{Namespace: "shop", Name: "acme"}

func named(name string) sqlstore.KeyName {
	return sqlstore.KeyName{Namespace: acme.Namespace, App: acme.Name, Name: name}
}

// apiKey is a key of acme whose text is its name.
func apiKey(name string) sqlstore.Key {
	return sqlstore.Key{KeyName: named(name), Type: sqlstore.APIKey, Digest: digest(name)}
}

func digest(text string) keystore.Digest { return keystore.Digest{Sum: sha256.Sum256([]byte(text))} }

// hmacKey is a signing key of acme whose id is its name.
func hmacKey(name string) sqlstore.Key {
	return sqlstore.Key{
		KeyName: named(name), Type: sqlstore.HMACSecret, SigningID: name, Algorithm: "hmac-sha256",
		Secret: authz.Secret("the secret of the key " + name),
	}
}

// store makes acme with the keys.
func store(t testing.TB, s *sqlstore.Store, keys ...sqlstore.Key) {
	t.Helper()
	update(t, s, func(tx *sqlstore.Tx) error {
		if _, err := tx.CreateApp(sqlstore.App{AppName: acme, Scopes: []string{"orders:read"}}); err != nil {
			return err
		}
		for _, k := range keys {
			if _, err := tx.CreateKey(k); err != nil {
				return err
			}
		}
		return nil
	})
}

func update(t testing.TB, s *sqlstore.Store, do func(*sqlstore.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), do); err != nil {
		t.Fatal(err)
	}
}

// change stores another version of a key.
func change(name sqlstore.KeyName, do func(*sqlstore.Key)) func(*sqlstore.Tx) error {
	return func(tx *sqlstore.Tx) error {
		k, err := tx.Key(name)
		if err != nil {
			return err
		}
		do(&k)
		_, err = tx.UpdateKey(k)
		return err
	}
}

func revoke(t testing.TB, s *sqlstore.Store, key sqlstore.Key) {
	t.Helper()
	update(t, s, change(key.KeyName, func(k *sqlstore.Key) { k.RevokedAt = time.Now() }))
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := harness.Await(ctx, what, done); err != nil {
		t.Fatal(err)
	}
}
