// Package store proves what the database of keys and the cache in front of it promise together, as a replica of the server
// has them: with databases and networks that fail, processes that are killed, and disks that are full.
package store

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/test/harness"
)

func TestMain(m *testing.M) {
	if prefix := os.Getenv(writerPrefix); prefix != "" {
		fmt.Fprintln(os.Stderr, beWriter(prefix))
		os.Exit(1)
	}
	goleak.VerifyTestMain(suite{m})
}

// suite ends what tests share before it is looked at what they leave behind.
type suite struct{ m *testing.M }

func (s suite) Run() int {
	defer shared.stop()
	return s.m.Run()
}

// sharedPostgres is one server for all tests that do not harm it; each has a database of its own.
type sharedPostgres struct {
	once      sync.Once
	server    *harness.Postgres
	dir       string
	err       error
	databases atomic.Int64
}

var shared sharedPostgres

func (s *sharedPostgres) start() {
	if s.dir, s.err = os.MkdirTemp("", "store"); s.err != nil {
		return
	}
	s.server, s.err = startPostgres(s.dir)
}

func (s *sharedPostgres) stop() {
	if s.server != nil {
		s.server.Kill()
	}
	_ = os.RemoveAll(s.dir)
}

// newDatabase makes a database in the shared server.
func newDatabase(t testing.TB) (server *harness.Postgres, name string) {
	t.Helper()
	shared.once.Do(shared.start)
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	name = fmt.Sprint("test", shared.databases.Add(1))
	if _, err := shared.server.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return shared.server, name
}

// ownPostgres starts a server that a test may kill.
func ownPostgres(t testing.TB, settings ...string) *harness.Postgres {
	t.Helper()
	server, err := startPostgres(t.TempDir(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Kill() }) // the process that runs by then
	return server
}

func startPostgres(dir string, settings ...string) (*harness.Postgres, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // the first time, it is installed
	defer cancel()
	return harness.StartPostgres(ctx, dir, append(settings, "max_connections=200")...)
}

// behind puts a Proxy in front of a server and returns the DSN of a database through it.
func behind(t testing.TB, server *harness.Postgres, database string) (*harness.Proxy, authz.Secret) {
	t.Helper()
	proxy, err := harness.StartProxy(server.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	through := *server
	through.Address = proxy.Address
	return proxy, authz.Secret(through.DSN(database))
}
