package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
)

// TestRevocationReachesOtherReplicas measures how long after an order was acknowledged another replica, which has the key
// in its cache, still lets it through.
func TestRevocationReachesOtherReplicas(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		deaf  bool // the other replica hears no notification
		keys  int
		limit time.Duration
	}{
		"with notifications":    {false, 50, time.Second},
		"without notifications": {true, 2, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, database := newDatabase(t)
			proxy, through := behind(t, server, database)
			if tt.deaf {
				proxy.Lose([]byte("LISTEN"))
			}
			keys := make([]sqlstore.Key, tt.keys)
			for i := range keys {
				keys[i] = apiKey(fmt.Sprint("key", i))
			}
			here := newReplica(t, sqlstore.Options{DSN: authz.Secret(server.DSN(database))})
			store(t, here.Store, keys...)
			there := newReplica(t, sqlstore.Options{DSN: through})
			if !tt.deaf {
				there.listens(t)
			}
			there.remembers(t, keys...)

			var own, other []time.Duration
			for _, k := range keys {
				here.remembers(t, k)
				revoke(t, here.Store, k)
				ordered := time.Now()
				await(t, "the replica that took the order refuses", func() bool { return here.refused(k) })
				own = append(own, time.Since(ordered))
				await(t, "the other replica refuses", func() bool { return there.refused(k) })
				other = append(other, time.Since(ordered))
			}
			t.Logf("refused after an acknowledged order, %d keys: here %v, there %v", len(keys), spread(own), spread(other))
			if middle := median(other); middle > tt.limit {
				t.Errorf("the other replica took %v; want %v at most", middle, tt.limit)
			}
			if listening := there.Store.Stats().Listening; listening == tt.deaf {
				t.Errorf("it listens: %v", listening)
			}
		})
	}
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

func spread(times []time.Duration) string {
	return fmt.Sprintf("%v (median; %v to %v)", median(times).Round(time.Microsecond),
		slices.Min(times).Round(time.Microsecond), slices.Max(times).Round(time.Microsecond))
}

// TestARevokedKeyNeverComesBack revokes keys while another replica reads them: the database has answered that the key is
// good, and the answer is still on its way.
func TestARevokedKeyNeverComesBack(t *testing.T) {
	t.Parallel()
	const rounds = 200
	server, database := newDatabase(t)
	proxy, through := behind(t, server, database)
	keys := make([]sqlstore.Key, rounds)
	for i := range keys {
		keys[i] = apiKey(fmt.Sprint("key", i))
		if i%2 == 1 {
			keys[i] = hmacKey(fmt.Sprint("signer", i))
		}
	}
	here := open(t, sqlstore.Options{DSN: authz.Secret(server.DSN(database))})
	store(t, here, keys...)
	there := newReplica(t, sqlstore.Options{DSN: through})
	there.listens(t)
	for i, k := range keys {
		question := k.Digest.Sum[:]
		if k.SigningID != "" {
			question = []byte(k.SigningID)
		}
		late := proxy.Hold(question)
		answer := make(chan error)
		go func() { answer <- there.check(patience, k) }()
		<-late.Arrived
		by := here
		if i%4 >= 2 {
			by = there.Store
		}
		revoke(t, by, k)
		there.hears(t, k)
		late.Release()
		if err := <-answer; authz.ReasonOf(err) != authz.ReasonKeyRevoked {
			t.Fatalf("round %d: who asked before it was revoked was told: %v", i, err)
		}
		for range 3 {
			if !there.refused(k) {
				t.Fatalf("round %d: a revoked key is back", i)
			}
		}
	}
}

// TestAnOverlapEndsOnTime rotates a key that another replica has in its cache. The old one ends by itself when its time is
// over, and not before, though the database is gone by then.
func TestAnOverlapEndsOnTime(t *testing.T) {
	t.Parallel()
	server, database := newDatabase(t)
	proxy, through := behind(t, server, database)
	before, after := apiKey("before"), apiKey("after")
	here := open(t, sqlstore.Options{DSN: authz.Secret(server.DSN(database))})
	store(t, here, before)
	there := newReplica(t, sqlstore.Options{DSN: through})
	there.listens(t)
	there.remembers(t, before)

	const overlap = 2 * time.Minute
	ends := time.Now().Add(overlap)
	update(t, here, func(tx *sqlstore.Tx) error {
		if _, err := tx.CreateKey(after); err != nil {
			return err
		}
		return change(before.KeyName, func(k *sqlstore.Key) { k.ExpiresAt, k.Successor = ends, after.Name })(tx)
	})
	await(t, "the replica knows when the key ends", func() bool {
		k, err := there.cache.ByDigest(t.Context(), before.Digest)
		return err == nil && !k.ExpiresAt.IsZero()
	})
	there.remembers(t, before, after)
	proxy.Cut()
	there.advance(time.Until(ends) - time.Minute)
	there.good(t, before)
	there.good(t, after)
	there.advance(time.Minute)
	if err := there.check(patience, before); authz.ReasonOf(err) != authz.ReasonKeyExpired {
		t.Errorf("after the overlap: %v", err)
	}
	there.good(t, after)
}
