package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	questions := []func(api, signer sqlstore.Key) error{
		func(api, _ sqlstore.Key) error { return failure(bare.ByDigest(context.Background(), api.Digest)) },
		func(_, signer sqlstore.Key) error {
			return failure(bare.BySigningID(context.Background(), signer.SigningID))
		},
		func(api, _ sqlstore.Key) error { return failure(bare.Key(context.Background(), api.KeyName)) },
	}

	// Both of its connections have asked each question before, so that what is swapped is an answer and nothing else.
	db.proxy.Delay(50 * time.Millisecond)
	for range 2 {
		for _, ask := range questions {
			pair(func(i int) { _ = ask(apiKey(fmt.Sprint("nobody", i)), hmacKey(fmt.Sprint("nobody", i))) })
		}
	}
	db.proxy.Mend()

	db.proxy.Swap()
	for n, ask := range questions {
		pair(func(i int) {
			if err := ask(keys[2*i], keys[2*i+1]); !errors.Is(err, sqlstore.ErrUnavailable) {
				t.Errorf("question %d to the Store alone: %v; want that nobody can tell", n, err)
			}
		})
	}
	if n := db.proxy.Swapped(); n < int64(len(questions)) {
		t.Fatalf("only %d pairs of answers were swapped", n)
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
	if n := db.proxy.Swapped(); n < rounds+int64(len(questions)) {
		t.Errorf("only %d pairs of answers were swapped", n)
	}
	db.proxy.Mend()
	for _, k := range keys {
		await(t, "the key is found", func() bool { return r.check(patience, k) == nil })
	}
}

// failure returns how a question ended.
func failure[T any](_ T, err error) error { return err }

// pair does something twice at a time.
func pair(do func(i int)) {
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() { do(i) })
	}
	both.Wait()
}
