package server

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/config"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/test/harness"
)

// startPostgres runs a PostgreSQL server until the test ends, and returns a file with the DSN of an empty database.
func startPostgres(t *testing.T) (server *harness.Postgres, dsnFile string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the first time, it is installed
	defer cancel()
	server, err := harness.StartPostgres(ctx, t.TempDir(), "fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Kill() })
	dsn, err := server.CreateDatabase(ctx, "postern")
	if err != nil {
		t.Fatal(err)
	}
	dsnFile = filepath.Join(t.TempDir(), "dsn")
	writeFile(t, dsnFile, dsn+"\n")
	return server, dsnFile
}

// stopPostgres cuts all connections and ends the server.
func stopPostgres(t *testing.T, server *harness.Postgres) {
	t.Helper()
	if err := server.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-server.Done()
}

func restartPostgres(t *testing.T, server *harness.Postgres) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
}

func withPostgres(t *testing.T, dsnFile string) func(*config.Config) {
	return withDatabase(t, config.Database{Postgres: &config.Postgres{DSNFile: dsnFile}})
}

// TestPostgresRestarts under load: declared keys and those that are remembered never notice.
func TestPostgresRestarts(t *testing.T) {
	server, dsnFile := startPostgres(t)
	i := start(t, shop(t), withPostgres(t, dsnFile))
	i.issue("partner", "one", "stored key")
	for n := range 3 {
		i.issue("partner", fmt.Sprintf("unseen-%d", n), fmt.Sprintf("unseen key %d", n))
	}
	i.await("remembered", func() bool {
		i.answers("stored key", 200, "shop/partner")
		return i.metric(`postern_cache_hits_total{cache="keys"}`) != "0"
	})
	var asked, failed atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for _, key := range []string{"stored key", "declared key"} {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				asked.Add(1)
				if a, err := i.ask(context.Background(), map[string]string{"x-key": key}); err != nil || a.status != http.StatusOK {
					failed.Add(1)
				}
			}
		})
	}
	i.answers("unseen key 0", 200, "shop/partner")
	stopPostgres(t, server)
	began := time.Now()
	i.answers("unseen key 1", 503, "")
	t.Logf("a key that is not remembered: 503 after %v", time.Since(began))
	i.await("degraded", func() bool {
		_, body := i.get("/readyz")
		return strings.Contains(body, `"component":"keystore"`)
	})
	restartPostgres(t, server)
	began = time.Now()
	i.wants(200, "x-key", "unseen key 1")
	t.Logf("it works again after %v", time.Since(began))
	i.await("well", func() bool {
		_, body := i.get("/readyz")
		return !strings.Contains(body, `"component":"keystore"`)
	})
	i.answers("unseen key 2", 200, "shop/partner")
	close(stop)
	load.Wait()
	if failed.Load() > 0 || asked.Load() < 100 {
		t.Errorf("%d of %d requests with keys that are known failed", failed.Load(), asked.Load())
	}
}

// TestPostgresComesLater starts without its database: declared keys work, and stored ones once it is there.
func TestPostgresComesLater(t *testing.T) {
	server, dsnFile := startPostgres(t)
	stopPostgres(t, server)
	i := start(t, shop(t), withPostgres(t, dsnFile))
	i.answers("declared key", 200, "shop/declared")
	i.answers("stored key", 503, "")
	i.await("degraded", func() bool {
		code, body := i.get("/readyz")
		return code == http.StatusOK && strings.Contains(body, `"component":"keystore"`)
	})
	restartPostgres(t, server)
	began := time.Now()
	i.wants(401, "x-key", "stored key")
	t.Logf("the schema is made after %v", time.Since(began))
	i.issue("partner", "one", "stored key")
	i.answers("stored key", 200, "shop/partner")
}

// TestReplicas share a database: what one changes is soon in force on the other.
func TestReplicas(t *testing.T) {
	_, dsnFile := startPostgres(t)
	edit := withPostgres(t, dsnFile)
	one, other := start(t, shop(t), edit), start(t, shop(t), edit)
	other.answers("stored key", 401, "") // and that is remembered
	one.issue("partner", "one", "stored key")
	one.answers("stored key", 200, "shop/partner")
	other.wants(200, "x-key", "stored key")
	one.edit("partner", "one", func(k *sqlstore.Key) { k.RevokedAt = time.Now() })
	began := time.Now()
	one.answers("stored key", 401, "")
	other.wants(401, "x-key", "stored key")
	t.Logf("revoked on the other after %v", time.Since(began))
}
