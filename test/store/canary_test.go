package store

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/test/harness"
)

// TestNoSecretIsWritten stores keys of every kind whose secrets can be recognised, and looks for these in all that is
// written: the database's files with their logs, what PostgreSQL logs when it logs every value, and the Store's own log.
func TestNoSecretIsWritten(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		noSecretIn(t, sqlstore.Options{File: filepath.Join(dir, "keys.db")}, dir, func() string { return "" })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		server, err := startPostgres(dir, "log_statement=all", "log_parameter_max_length=-1", "log_parameter_max_length_on_error=-1")
		if err != nil {
			t.Fatal(err)
		}
		defer server.Kill()
		noSecretIn(t, sqlstore.Options{DSN: authz.Secret(server.DSN("postgres"))}, filepath.Join(dir, "data"), server.Stderr)
	})
}

const (
	canary = "kanarienvogel"
	marker = "not-a-secret-at-all"
)

// secrets are recognised by a part that all have.
var secrets = harness.Secrets{"the part": canary}

func noSecretIn(t *testing.T, o sqlstore.Options, dir string, serverLog func() string) {
	var log harness.Output
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := newReplica(t, o)
	store(t, r.Store)
	hasher := keystore.NewHasher(keystore.Pepper{ID: "p1", Secret: canary + "-pepper-0123456789abcdef"})
	key := hmacKey("signer")
	key.Secret, key.Description = canary+"-hmac-secret", marker
	token := sqlstore.Key{
		KeyName: named("token"), Type: sqlstore.PersonalAccessToken, Subject: "alice", Digest: hasher.Keep(canary + "-token"),
	}
	text := sqlstore.Key{KeyName: named("text"), Type: sqlstore.APIKey, Digest: hasher.Keep(canary + "-api-key"), LastFour: "-key"}
	keys := []sqlstore.Key{key, token, text}
	update(t, r.Store, func(tx *sqlstore.Tx) error {
		for _, k := range keys {
			made, err := tx.CreateKey(k)
			if err != nil {
				return err
			}
			if made.Secret != "" {
				t.Error("what was made shows its secret")
			}
			after := []byte(`{"name": "` + made.Name + `"}`)
			if _, err := tx.AppendEvent(sqlstore.Event{Caller: "ops", Method: "IssueKey", Key: k.Name, After: after}); err != nil {
				return err
			}
		}
		return nil
	})
	r.remembers(t, keys...)

	// What fails has much to say.
	again, broken := key, key
	again.Name, broken.Name, broken.SigningID, broken.Algorithm = "again", "broken", "broken", "unknown"
	for _, k := range []sqlstore.Key{again, broken} {
		err := r.Update(t.Context(), func(tx *sqlstore.Tx) error {
			_, err := tx.CreateKey(k)
			return err
		})
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
	db := raw(t, o)
	if _, err := db.Exec(`UPDATE keys SET sealed = $1 WHERE name = 'signer'`, []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	r.cache.ForgetAll()
	if err := r.check(patience, key); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("a damaged secret: %v", err)
	}
	if o.File == "" {
		if _, err := db.Exec(`CHECKPOINT`); err != nil {
			t.Fatal(err)
		}
	}

	for name, content := range map[string]string{"the log": log.String(), "the server's log": serverLog()} {
		if form := secrets.In([]byte(content)); form != "" {
			t.Errorf("%s holds a secret: %s", name, form)
		}
	}
	if o.File == "" && !strings.Contains(serverLog(), marker) {
		t.Error("the server's log holds no values at all, so this proves nothing of it")
	}
	filesHoldNoSecret(t, dir)
}

func filesHoldNoSecret(t *testing.T, dir string) {
	t.Helper()
	found, marked, err := secrets.InFiles(dir, marker)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		t.Errorf("a file holds a secret: %s", file)
	}
	if marked == 0 {
		t.Error("no file holds what was stored in clear, so this proves nothing")
	}
}
