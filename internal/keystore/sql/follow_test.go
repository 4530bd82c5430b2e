package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/test/harness"
)

func TestOwnChangeIsToldBeforeUpdateReturns(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		o.PollInterval = time.Hour
		s := open(t, o)
		s.db.listen = nil // it is told once
		withApp(t, s, acme, apiKey(acme, "a"))
		j := follow(t, s)
		signer := hmacKey(acme, "signer", "id")
		for _, step := range []struct {
			name string
			do   func(*Tx) error
			want []Change
		}{
			{"issue", makes(func(tx *Tx) (Key, error) { return tx.CreateKey(apiKey(acme, "b")) }), []Change{{App: acme, Digest: apiKey(acme, "b").Digest}}},
			{"issue a signer", makes(func(tx *Tx) (Key, error) { return tx.CreateKey(signer) }), []Change{{App: acme, SigningID: "id"}}},
			{"import", makes(func(tx *Tx) ([]Key, error) {
				return tx.CreateKeys(acme, []Key{apiKey(acme, "c"), apiKey(acme, "d")})
			}), []Change{{App: acme}}},
			{"revoke", func(tx *Tx) error {
				k, err := tx.Key(KeyName{"shop", "acme", "a"})
				if err == nil {
					k.RevokedAt = noon
					_, err = tx.UpdateKey(k)
				}
				return err
			}, []Change{{App: acme, Digest: apiKey(acme, "a").Digest}}},
			{"delete two", func(tx *Tx) error {
				return errors.Join(tx.DeleteKey(KeyName{"shop", "acme", "b"}), tx.DeleteKey(KeyName{"shop", "acme", "signer"}))
			}, []Change{{App: acme, Digest: apiKey(acme, "b").Digest}, {App: acme, SigningID: "id"}}},
			{"an event alone", makes(func(tx *Tx) (Event, error) { return tx.AppendEvent(Event{}) }), nil},
			{"delete the app", func(tx *Tx) error { return tx.DeleteApp(acme) }, []Change{{App: acme}}},
		} {
			before, _ := j.changes()
			update(t, s, step.do)
			after, _ := j.changes()
			diff(t, step.name, step.want, after[len(before):], cmpopts.EquateEmpty())
		}
	})
}

func TestAnotherReplicaHears(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		for name, interval := range map[string]time.Duration{"by polling": 5 * time.Millisecond, "by notification": time.Hour} {
			if o.File != "" && interval == time.Hour {
				continue // SQLite has none
			}
			t.Run(name, func(t *testing.T) {
				o := o
				o.PollInterval = interval
				writer, reader := open(t, o), open(t, o)
				app := AppName{"shop", fmt.Sprint("app-", interval)}
				if interval != time.Hour {
					reader.db.listen = nil
				}
				j := follow(t, reader)
				withApp(t, writer, app, apiKey(app, "a"))
				j.hears(t, Change{App: app, Digest: apiKey(app, "a").Digest})
				change(t, writer, KeyName{app.Namespace, app.Name, "a"}, func(k *Key) { k.Disabled = true })
				if _, all := j.changes(); all != 1 {
					t.Errorf("everything was forgotten %d times", all)
				}
			})
		}
	})
}

func TestFollowersMissNothing(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		o.PollInterval = time.Millisecond
		o.Timeout = time.Minute // a hundred writers take turns
		o.MaxConnections = 60
		writers := []*Store{open(t, o), open(t, o)}
		watchers := []*journal{follow(t, writers[0]), follow(t, open(t, o))}
		update(t, writers[0], makes(func(tx *Tx) (App, error) { return tx.CreateApp(newApp(acme)) }))

		const each = 3
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				for n := range each {
					k := apiKey(acme, fmt.Sprintf("k%d-%d", i, n))
					err := writers[i%2].Update(context.Background(), func(tx *Tx) error {
						_, err := tx.CreateKey(k)
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for _, j := range watchers {
			j.await(t, "all changes", func(told []Changes) bool {
				seen := map[keystore.Digest]bool{}
				for _, c := range told {
					for _, one := range c.List {
						seen[one.Digest] = true
					}
				}
				delete(seen, keystore.Digest{}) // the App
				return len(seen) == 100*each
			})
		}
		if _, all := watchers[1].changes(); all != 1 {
			t.Errorf("everything was forgotten %d times", all)
		}
		if c := must[counter](t)(readCounter(t.Context(), writers[0].db.read, "")); c.seq != 1+100*each {
			t.Errorf("the counter is at %d", c.seq)
		}
	})
}

func TestGapsMakeFollowersForgetEverything(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		c := newClock()
		o.Now, o.Log = c.Now, nil
		s := open(t, o)
		withApp(t, s, acme)
		var told []Changes
		f := &follower{apply: func(c Changes) { told = append(told, c) }}
		poll := func(want ...Changes) {
			t.Helper()
			told = nil
			if err := s.poll(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			diff(t, "told", want, told)
		}
		create := func(name string) Change {
			update(t, s, makes(func(tx *Tx) (Key, error) { return tx.CreateKey(apiKey(acme, name)) }))
			return Change{App: acme, Digest: apiKey(acme, name).Digest}
		}
		poll(Changes{All: true})
		poll()
		poll(Changes{List: []Change{create("a"), create("b")}})

		// Old changes are pruned, but for the last.
		create("c")
		c.move(changesKept + time.Second)
		create("d")
		if err := s.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		poll(Changes{All: true})
		poll(Changes{List: []Change{create("e")}})

		// All of them are.
		create("f")
		c.move(changesKept + time.Second)
		if err := s.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		poll(Changes{All: true})
		poll()

		// The database is another one.
		must[int64](t)(exec(t.Context(), s.db.write, `UPDATE change_counter SET store_id = 'another'`))
		poll(Changes{All: true})
		poll()

		// It was restored.
		must[int64](t)(exec(t.Context(), s.db.write, `UPDATE change_counter SET seq = 1`))
		poll(Changes{All: true})
		poll()
	})
}

func TestFollowWaitsForTheDatabase(t *testing.T) {
	o := Options{DSN: newDatabase(t), Migrate: true, PollInterval: 5 * time.Millisecond}
	s := must[*Store](t)(Open(o))
	t.Cleanup(func() { _ = s.Close() })
	// Nobody has migrated it, and this Store may not.
	s.opts.Migrate = false
	j := &journal{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Follow(ctx, j.apply) }()
	if err := harness.Await(t.Context(), "two failures", func() bool { return s.Stats().PollFailures >= 2 }); err != nil {
		t.Fatal(err)
	}
	withApp(t, open(t, Options{DSN: o.DSN}), acme)
	j.await(t, "the beginning", func(told []Changes) bool { return len(told) == 1 && told[0].All })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if st := s.Stats(); st.Polled.IsZero() || st.Resyncs != 1 {
		t.Errorf("%+v", st)
	}
}

// TestPruningKeepsNobodyWaiting locks a table of which old rows are to be removed.
func TestPruningKeepsNobodyWaiting(t *testing.T) {
	o := Options{DSN: newDatabase(t), PollInterval: 5 * time.Millisecond, Timeout: time.Hour}
	writer, reader := open(t, o), open(t, o)
	lock := must[*sql.Tx](t)(writer.db.write.BeginTx(t.Context(), nil))
	t.Cleanup(func() { _ = lock.Rollback() })
	must[int64](t)(exec(t.Context(), lock, `LOCK TABLE requests IN EXCLUSIVE MODE`))
	j := follow(t, reader)
	if err := harness.Await(t.Context(), "pruning waits", func() bool {
		return must[bool](t)(one(t.Context(), writer.db.read, func(row scanner) (waits bool, err error) { return waits, row.Scan(&waits) },
			`SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`))
	}); err != nil {
		t.Fatal(err)
	}
	withApp(t, writer, acme, apiKey(acme, "a"))
	j.hears(t, Change{App: acme, Digest: apiKey(acme, "a").Digest})
}

func TestListenerReconnects(t *testing.T) {
	o := Options{DSN: newDatabase(t), PollInterval: time.Hour}
	writer, reader := open(t, o), open(t, o)
	j := follow(t, reader)
	heard := func(name string) {
		t.Helper()
		app := AppName{"shop", name}
		withApp(t, writer, app)
		j.hears(t, Change{App: app})
	}
	heard("before")
	if !reader.Stats().Listening {
		t.Error("it does not listen")
	}
	// The listener is the only session whose last statement was LISTEN.
	n := must[int64](t)(exec(t.Context(), writer.db.write,
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'`))
	if n != 1 {
		t.Fatalf("%d listeners were ended", n)
	}
	heard("after")
}

func TestUnusedPepperCostsNoRead(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		o.PollInterval = time.Millisecond
		s, other := open(t, o), open(t, o)
		withApp(t, s, acme, apiKey(acme, "a"))
		peppered := digest("x")
		peppered.Pepper = "p1"
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		reads := func(d keystore.Digest) bool { // what reads, fails
			_, err := s.ByDigest(cancelled, d)
			return !errors.Is(err, keystore.ErrNotFound)
		}
		if !reads(peppered) {
			t.Error("nobody follows, and it knows")
		}
		j := follow(t, s)
		if reads(peppered) {
			t.Error("an unused pepper is looked for")
		}
		if !reads(digest("any")) {
			t.Error("a used one is not")
		}
		k := apiKey(acme, "b")
		k.Digest = peppered
		update(t, other, makes(func(tx *Tx) (Key, error) { return tx.CreateKey(k) }))
		j.hears(t, Change{App: acme, Digest: peppered})
		if !reads(peppered) {
			t.Error("a pepper that another replica uses is not looked for")
		}
		own := digest("y")
		own.Pepper = "p2"
		k = apiKey(acme, "c")
		k.Digest = own
		update(t, s, makes(func(tx *Tx) ([]Key, error) { return tx.CreateKeys(acme, []Key{k, apiKey(acme, "d")}) }))
		if !reads(own) {
			t.Error("a pepper that it uses itself is not looked for")
		}
	})
}

// memory notes what it is told to forget.
type memory []string

func (m *memory) Forget(d keystore.Digest)  { *m = append(*m, d.String()[:10]) }
func (m *memory) ForgetSigningID(id string) { *m = append(*m, id) }
func (m *memory) ForgetApp(ns, name string) { *m = append(*m, ns+"/"+name) }
func (m *memory) ForgetAll()                { *m = append(*m, "all") }

func TestForget(t *testing.T) {
	var m memory
	Changes{All: true}.Forget(&m)
	Changes{List: []Change{{App: acme}, {App: acme, SigningID: "id"}, {App: acme, Digest: digest("a")}}}.Forget(&m)
	diff(t, "forgotten", memory{"all", "shop/acme", "id", "shop/acme", "sha256:ca9"}, m)
}
