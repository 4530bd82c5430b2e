package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/test/harness"
)

// deadline is what a check has to answer.
const deadline = 150 * time.Millisecond

// TestFaults lets the database fail in every way, under a replica that knows some of its keys.
func TestFaults(t *testing.T) {
	t.Parallel()
	network := func(t *testing.T) *fallible {
		server, database := newDatabase(t)
		return putBehind(t, server, database)
	}
	own := func(t *testing.T) *fallible { return putBehind(t, ownPostgres(t), "postgres") }
	mend := func(_ *testing.T, db *fallible) { db.proxy.Mend() }
	for name, tt := range map[string]struct {
		database      func(*testing.T) *fallible
		breaks, mends func(*testing.T, *fallible)
	}{
		"connections are cut":    {network, func(_ *testing.T, db *fallible) { db.proxy.Cut() }, mend},
		"connections hang":       {network, func(_ *testing.T, db *fallible) { db.proxy.Hang() }, mend},
		"answers come after 3 s": {network, func(_ *testing.T, db *fallible) { db.proxy.Delay(3 * time.Second) }, mend},
		"the server is killed": {
			own, func(_ *testing.T, db *fallible) { db.server.Kill() }, func(t *testing.T, db *fallible) { restart(t, db.server) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := tt.database(t)
			known := []sqlstore.Key{apiKey("known"), hmacKey("known-signer")}
			late := make([]sqlstore.Key, 20)
			for i := range late {
				late[i] = apiKey(fmt.Sprint("late", i))
			}
			store(t, open(t, sqlstore.Options{DSN: db.direct}), append(known, late...)...)
			r := newReplica(t, sqlstore.Options{DSN: db.through, Timeout: 2 * time.Second, ConnectTimeout: 2 * time.Second})
			r.remembers(t, known...)

			tt.breaks(t, db)
			r.outlives(t, known, late)
			tt.mends(t, db)
			begin := time.Now()
			for _, k := range slices.Concat(known, late) {
				await(t, "keys are known again", func() bool { return r.check(deadline, k) == nil })
			}
			t.Logf("recovered after %v", time.Since(begin))
			if r.cache.Stats().Degraded {
				t.Error("it is still degraded")
			}
			revoke(t, open(t, sqlstore.Options{DSN: db.direct}), known[0])
			await(t, "changes are heard again", func() bool { return r.refused(known[0]) })
			t.Logf("heard of a change after %v", time.Since(begin))
		})
	}
}

// fallible is a database that a test can break.
type fallible struct {
	server          *harness.Postgres
	proxy           *harness.Proxy
	direct, through authz.Secret
}

func putBehind(t *testing.T, server *harness.Postgres, database string) *fallible {
	proxy, through := behind(t, server, database)
	return &fallible{server, proxy, authz.Secret(server.DSN(database)), through}
}

// outlives holds a replica to what it promises while the database fails.
func (r *replica) outlives(t *testing.T, known, unknown []sqlstore.Key) {
	t.Helper()
	r.advance(2 * time.Minute) // nothing is fresh any more
	for range 100 {
		for _, k := range known {
			r.good(t, k)
		}
	}
	t.Logf("keys that are not in the cache: refused after %v", r.cannotTell(t, unknown))
	begin := time.Now()
	if err := r.Update(t.Context(), change(known[0].KeyName, func(*sqlstore.Key) {})); !errors.Is(err, sqlstore.ErrUnavailable) {
		t.Errorf("a write: %v", err)
	}
	t.Logf("a write: refused after %v", time.Since(begin))
	r.advance(2 * time.Minute)
	for _, k := range known {
		r.good(t, k)
	}
	r.advance(time.Minute) // nobody has vouched for them for five minutes
	r.cannotTell(t, known)
	if !r.cache.Stats().Degraded {
		t.Error("it is not degraded")
	}
}

// cannotTell expects requests with the keys, all at a time, to be refused because nobody can tell, and returns how long
// that takes.
func (r *replica) cannotTell(t *testing.T, keys []sqlstore.Key) time.Duration {
	t.Helper()
	begin := time.Now()
	var asking sync.WaitGroup
	for _, k := range keys {
		asking.Go(func() {
			err := r.check(deadline, k)
			if err == nil || errors.Is(err, keystore.ErrNotFound) || errors.Is(err, errAnother) {
				t.Errorf("%s: %v", k.KeyName, err)
			}
		})
	}
	asking.Wait()
	return time.Since(begin)
}

// restart starts a server again that was killed. PostgreSQL does not start while processes of the old one are still about
// to notice that it is gone.
func restart(t *testing.T, server *harness.Postgres) {
	t.Helper()
	var err error
	await(t, "the server starts again", func() bool {
		err = server.Restart(t.Context())
		return err == nil
	})
}
