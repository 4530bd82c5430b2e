package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/test/harness"
)

// These variables turn the test's program into a writer: it issues keys of acme whose names begin with the prefix, one
// Update each, and prints a key's name once it is acknowledged.
const (
	writerFile   = "POSTERN_STORE_WRITER_FILE"
	writerDSN    = "POSTERN_STORE_WRITER_DSN"
	writerPrefix = "POSTERN_STORE_WRITER_PREFIX"
)

func beWriter(prefix string) error {
	o := sqlstore.Options{File: os.Getenv(writerFile), DSN: authz.Secret(os.Getenv(writerDSN)), Migrate: true, Sealer: sealer}
	s, err := sqlstore.Open(o)
	if err != nil {
		return err
	}
	if err := s.Prepare(context.Background()); err != nil {
		return err
	}
	for i := 0; ; i++ {
		name := fmt.Sprint(prefix, i)
		if err := s.Update(context.Background(), issue(name)); err != nil {
			return err
		}
		fmt.Println(name)
	}
}

// issue is what the admin API does to issue a key: an API key or an HMAC secret, with its event and its request id.
func issue(name string) func(*sqlstore.Tx) error {
	key := apiKey(name)
	if strings.HasSuffix(name, "3") {
		key = hmacKey(name)
	}
	return func(tx *sqlstore.Tx) error {
		if _, err := tx.CreateKey(key); err != nil {
			return err
		}
		if _, err := tx.AppendEvent(sqlstore.Event{
			Caller: "ops", Role: "operator", Method: "IssueKey", Namespace: acme.Namespace, App: acme.Name, Key: name, RequestID: name,
		}); err != nil {
			return err
		}
		return tx.RememberRequest(sqlstore.Request{Caller: "ops", Method: "IssueKey", ID: name, Hash: []byte(name), Object: key.String()})
	}
}

// TestKillTheWriter kills processes that write, 100 times for each kind of database. What they had acknowledged is there
// afterwards, and of the rest nothing or all.
func TestKillTheWriter(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		killWriters(t, sqlstore.Options{File: filepath.Join(t.TempDir(), "keys.db")}, 1)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		server, database := newDatabase(t)
		killWriters(t, sqlstore.Options{DSN: authz.Secret(server.DSN(database))}, 4)
	})
}

// killWriters kills writers of a database of which some run at a time.
func killWriters(t *testing.T, o sqlstore.Options, together int) {
	const kills = 100
	s := open(t, o)
	store(t, s)
	var acknowledged []string
	for round := range kills / together {
		writers := make([]*harness.Process, together)
		for i := range writers {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), writerFile+"="+o.File, writerDSN+"="+o.DSN.Reveal(),
				fmt.Sprintf("%s=%d-%d-", writerPrefix, round, i))
			w, err := harness.StartCommand("writer", cmd)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(w.Kill)
			writers[i] = w
		}
		for _, w := range writers {
			enough := rand.IntN(4)
			await(t, "the writer has written", func() bool { return w.Exited() || strings.Count(w.Stdout(), "\n") >= enough })
			<-time.After(rand.N(3 * time.Millisecond)) // whatever it is doing then
			if w.Exited() {
				t.Fatal(w.Tail())
			}
			w.Kill()
			for line := range strings.Lines(w.Stdout()) {
				if name, whole := strings.CutSuffix(line, "\n"); whole {
					acknowledged = append(acknowledged, name)
				}
			}
		}
	}
	intact(t, o, acknowledged)
	t.Logf("%d writers killed; they had acknowledged %d keys", kills, len(acknowledged))
}

// TestKillTheServer kills PostgreSQL while it is written to.
func TestKillTheServer(t *testing.T) {
	t.Parallel()
	const kills, writers, between = 5, 4, 40
	server := ownPostgres(t)
	o := sqlstore.Options{DSN: authz.Secret(server.DSN("postgres"))}
	s := open(t, o)
	store(t, s)

	var mu sync.Mutex
	var acknowledged []string
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged)
	}
	var stop atomic.Bool
	var failed atomic.Int64
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := 0; !stop.Load(); i++ {
				name := fmt.Sprintf("%d-%d", w, i)
				if err := s.Update(context.Background(), issue(name)); err != nil {
					failed.Add(1)
					<-time.After(20 * time.Millisecond) // as a client would
					continue
				}
				mu.Lock()
				acknowledged = append(acknowledged, name)
				mu.Unlock()
			}
		})
	}
	for range kills {
		enough := count() + between
		await(t, "keys are written", func() bool { return count() >= enough })
		server.Kill()
		restart(t, server)
	}
	enough := count() + between
	await(t, "keys are written again", func() bool { return count() >= enough })
	stop.Store(true)
	writing.Wait()
	intact(t, o, acknowledged)
	t.Logf("PostgreSQL killed %d times; it had acknowledged %d keys, and %d writes failed", kills, len(acknowledged), failed.Load())
}

// intact expects all that was acknowledged to be there, every key with its event, its request and its change, and the
// numbers of changes without a gap.
func intact(t *testing.T, o sqlstore.Options, acknowledged []string) {
	t.Helper()
	s := open(t, o)
	stored := map[string]bool{}
	after := sqlstore.KeyName{}
	for {
		page, err := s.Keys(t.Context(), sqlstore.KeyFilter{}, after, 500)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, k := range page {
			stored[k.Name] = true
		}
		after = page[len(page)-1].KeyName
	}
	for _, name := range acknowledged {
		if !stored[name] {
			t.Errorf("the acknowledged key %s is lost", name)
		}
	}
	for name := range stored {
		if events, err := s.Events(t.Context(), sqlstore.EventFilter{Key: name}, 0, 2); err != nil || len(events) != 1 {
			t.Errorf("the key %s has %d events, %v", name, len(events), err)
		}
	}
	db := raw(t, o)
	for query, want := range map[string]int{
		`SELECT count(*) FROM audit`:                                    len(stored),
		`SELECT count(*) FROM requests`:                                 len(stored),
		`SELECT count(*) FROM changes`:                                  len(stored) + 1, // and one of the App
		`SELECT min(seq) FROM changes`:                                  1,
		`SELECT max(seq) FROM changes`:                                  len(stored) + 1,
		`SELECT seq FROM change_counter`:                                len(stored) + 1,
		`SELECT count(*) FROM keys k JOIN requests r ON r.id = k.name`:  len(stored),
		`SELECT count(DISTINCT revision) FROM keys WHERE revision <> 1`: len(stored),
	} {
		var got int
		if err := db.QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", query, got, err, want)
		}
	}
}

// raw opens a database beside its Store.
func raw(t *testing.T, o sqlstore.Options) *sql.DB {
	t.Helper()
	driver, source := "pgx", o.DSN.Reveal()
	if o.File != "" {
		driver, source = "sqlite", o.File
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
