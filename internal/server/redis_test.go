package server

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/config"
)

// closedPort returns an address of this machine where nobody listens.
func closedPort(t *testing.T) config.Address {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return config.Address(l.Addr().String())
}

// TestRedisAway: Postern starts without its Redis, for what needs none, and says that it misses it.
func TestRedisAway(t *testing.T) {
	i := start(t, nil, func(cfg *config.Config) { cfg.Redis.Address = closedPort(t) })
	i.await("degraded", func() bool {
		code, body := i.get("/readyz")
		return code == 200 && strings.Contains(body, `{"component":"redis","reason":"Redis cannot be asked: `)
	})
	if got := i.metric("postern_replay_max_entries"); got != "" {
		t.Errorf("%s entries fit into a memory that is not ours", got)
	}
}

// TestRedisFiles: what cannot be used is told at the start, by field; an inspection does not need it.
func TestRedisFiles(t *testing.T) {
	edit := func(cfg *config.Config) {
		cfg.Redis.Address = closedPort(t)
		cfg.Redis.PasswordFile = filepath.Join(t.TempDir(), "gone")
	}
	_, err := assemble(t, nil, edit)
	if err == nil || !strings.HasPrefix(err.Error(), "redis.passwordFile: open ") {
		t.Error(err)
	}
	cfg := config.Default()
	edit(cfg)
	cfg.Resources.Dir = t.TempDir()
	inspection, err := Inspect(t.Context(), cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	inspection.Close()
}
