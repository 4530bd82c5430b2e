package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
)

// TestSwappedAnswers lets the database answer each of two questions with what was meant for the other. Nobody may be taken
// for somebody else.
func TestSwappedAnswers(t *testing.T) {
	t.Parallel()
	const rounds = 20
	server, database := newDatabase(t)
	db := putBehind(t, server, database)
	var keys []sqlstore.Key
	for i := range 2 * rounds {
		keys = append(keys, apiKey(fmt.Sprint("key", i)), hmacKey(fmt.Sprint("signer", i)))
	}
	store(t, open(t, sqlstore.Options{DSN: db.direct}), keys...)
	bare := open(t, sqlstore.Options{DSN: db.through, Timeout: 2 * time.Second})
	r := cachedOnly(t, bare)

	// Both of its connections have asked each question before, so that what is swapped is an answer and nothing else.
	db.proxy.Delay(50 * time.Millisecond)
	for range 2 {
		pair(func(i int) { r.cache.ByDigest(context.Background(), digest(fmt.Sprint("nobody", i))) })
		pair(func(i int) { r.cache.BySigningID(context.Background(), fmt.Sprint("nobody", i)) })
		r.cache.ForgetAll()
	}
	db.proxy.Mend()

	var taken atomic.Bool // somebody was taken for somebody else by the Store alone
	db.proxy.Swap()
	pair(func(i int) {
		found, err := bare.ByDigest(context.Background(), keys[2*i].Digest)
		if err == nil && found.ID == keys[2-2*i].String() {
			taken.Store(true)
		}
	})
	if !taken.Load() {
		t.Fatal("no answers were swapped")
	}
	for round := range rounds {
		for kind := range 2 { // API keys, then signing keys
			pair(func(i int) {
				k := keys[4*round+2*i+kind]
				if err := r.check(patience, k); err == nil || isRefusal(err) || errors.Is(err, errAnother) {
					t.Errorf("%s: %v; want that nobody can tell", k.KeyName, err)
				}
			})
		}
	}
	if n := db.proxy.Swapped(); n < rounds {
		t.Errorf("only %d pairs of answers were swapped", n)
	}
	db.proxy.Mend()
	for _, k := range keys {
		await(t, "the key is found", func() bool { return r.check(patience, k) == nil })
	}
}

// pair does something twice at a time.
func pair(do func(i int)) {
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() { do(i) })
	}
	both.Wait()
}
