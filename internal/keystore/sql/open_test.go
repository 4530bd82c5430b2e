package sqlstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/test/harness"
)

func TestOpenRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"no database":             {},
		"two":                     {File: "a", DSN: "postgres://a"},
		"no directory":            {File: filepath.Join(t.TempDir(), "none", "keys.db")},
		"a bad escape":            {DSN: "postgres://postgres:canary%zz@127.0.0.1/a"},
		"a bad port":              {DSN: "postgres://postgres:canary@127.0.0.1:port/a"},
		"a password that splits":  {DSN: "postgres://postgres:canary/x@127.0.0.1:1/a"},
		"pairs":                   {DSN: "host=127.0.0.1 password='canary"},
		"an unknown sslmode":      {DSN: "host=127.0.0.1 password=canary sslmode=sometimes"},
		"a certificate not there": {DSN: "host=127.0.0.1 password=canary sslmode=verify-full sslrootcert=/none/ca.pem"},
	} {
		s, err := Open(o)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: opened", name)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "a certificate not there" && !strings.Contains(err.Error(), "/none/ca.pem") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsDoNotShowThePassword(t *testing.T) {
	wrong := strings.Replace(postgres.DSN("postgres"), harness.PostgresPassword, "canary", 1)
	nobody := strings.Replace(postgres.DSN("postgres"), postgres.Address, "127.0.0.1:1", 1)
	for secret, dsn := range map[string]string{"canary": wrong, harness.PostgresPassword: nobody} {
		s := must[*Store](t)(Open(Options{DSN: authz.Secret(dsn), Migrate: true}))
		defer func() { _ = s.Close() }()
		err := s.Prepare(t.Context())
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
	}
}

// TestAStandbyIsNotAsked makes a standby of a server, which would answer every question.
func TestAStandbyIsNotAsked(t *testing.T) {
	dir := t.TempDir()
	server := must[*harness.Postgres](t)(harness.StartPostgres(t.Context(), dir, "fsync=off"))
	t.Cleanup(func() { server.Kill() }) // the process that runs by then
	o := Options{DSN: authz.Secret(server.DSN("postgres") + "&target_session_attrs=any")}
	open(t, o)
	server.Kill()
	if err := os.WriteFile(filepath.Join(dir, "data", "standby.signal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := harness.Await(t.Context(), "the standby", func() bool { return server.Restart(t.Context()) == nil }); err != nil {
		t.Fatal(err)
	}
	s := must[*Store](t)(Open(o))
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Prepare(t.Context()); !errors.Is(err, ErrUnavailable) || !errors.Is(err, pgconn.ErrStandbyConnection) {
		t.Errorf("of a standby: %v", err)
	}
}

// TestSQLiteIsDurable asks what an acknowledged write rests on, of the connections that write.
func TestSQLiteIsDurable(t *testing.T) {
	s := open(t, Options{File: filepath.Join(t.TempDir(), "keys.db")})
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "query_only": "0"} {
		got := must[string](t)(one(t.Context(), s.db.write, func(row scanner) (v string, err error) { return v, row.Scan(&v) }, "PRAGMA "+pragma))
		if got != want {
			t.Errorf("%s is %s, not %s", pragma, got, want)
		}
	}
	if _, err := exec(t.Context(), s.db.read, `DELETE FROM apps`); err == nil {
		t.Error("connections that read can write")
	}
}
