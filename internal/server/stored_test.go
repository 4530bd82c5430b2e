package server

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/keystore"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
)

const shopScheme = `
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: key, namespace: shop}
spec: {apiKey: {checksum: Ignored, in: [{header: X-Key}]}}
`

const shopPolicy = `
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.test]
  security: [{key: []}]
  identity: {headers: [{name: X-Gen, value: principal.app}]}
`

// declaredApp declares the App shop/name, whose key is "declared key".
func declaredApp(t *testing.T, name string) string {
	t.Helper()
	digest, err := keystore.NewHasher().Digest("", "declared key")
	if err != nil {
		t.Fatal(err)
	}
	return `
apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: ` + name + `, namespace: shop}
spec: {credentials: [{name: only, apiKey: {digest: "` + digest.String() + `"}}]}
`
}

func shop(t *testing.T) map[string]string {
	return map[string]string{"scheme.yaml": shopScheme, "policy.yaml": shopPolicy, "app.yaml": declaredApp(t, "declared")}
}

const pepperLine = "p1:MDEyMzQ1Njc4OWFiY2RlZg==\n"

// withDatabase has keys in the database, too.
func withDatabase(t *testing.T, database config.Database) func(*config.Config) {
	pepper := filepath.Join(t.TempDir(), "pepper")
	writeFile(t, pepper, pepperLine)
	return func(cfg *config.Config) {
		cfg.KeyStore.PepperFile, cfg.KeyStore.Database = pepper, &database
	}
}

func withSQLite(t *testing.T) func(*config.Config) {
	return withDatabase(t, config.Database{SQLite: &config.SQLite{File: filepath.Join(t.TempDir(), "keys.db")}})
}

// update changes the database as the admin API does.
func (i *instance) update(do func(tx *sqlstore.Tx) error) {
	i.t.Helper()
	if err := i.parts.stored.db.Update(context.Background(), do); err != nil {
		i.t.Fatal(err)
	}
}

// issue stores a key of the App shop/app, which it makes if need be.
func (i *instance) issue(app, name, key string) {
	i.t.Helper()
	of := sqlstore.AppName{Namespace: "shop", Name: app}
	i.update(func(tx *sqlstore.Tx) error {
		if _, err := tx.App(of); err != nil {
			if _, err := tx.CreateApp(sqlstore.App{AppName: of}); err != nil {
				return err
			}
		}
		_, err := tx.CreateKey(sqlstore.Key{
			KeyName: sqlstore.KeyName{Namespace: "shop", App: app, Name: name}, Type: sqlstore.APIKey,
			Digest: i.parts.hasher.Keep(authz.Secret(key)),
		})
		return err
	})
}

// edit stores another version of a key of the App shop/app.
func (i *instance) edit(app, name string, change func(*sqlstore.Key)) {
	i.t.Helper()
	i.update(func(tx *sqlstore.Tx) error {
		k, err := tx.Key(sqlstore.KeyName{Namespace: "shop", App: app, Name: name})
		if err != nil {
			return err
		}
		change(&k)
		_, err = tx.UpdateKey(k)
		return err
	})
}

// answers wants the next answer to be so, without waiting.
func (i *instance) answers(key string, status int, app string) {
	i.t.Helper()
	a, err := i.ask(context.Background(), map[string]string{"x-key": key})
	if err != nil || a.status != status || a.headers["x-gen"] != app {
		i.t.Errorf("%s: %v, %v; want %d %s", key, a, err, status, app)
	}
}

// TestStoredKeys lives through the life of a key: each change is in force when it has been made.
func TestStoredKeys(t *testing.T) {
	i := start(t, shop(t), withSQLite(t))
	i.answers("declared key", 200, "shop/declared")
	i.answers("stored key", 401, "")
	i.issue("partner", "one", "stored key")
	i.answers("stored key", 200, "shop/partner")
	i.edit("partner", "one", func(k *sqlstore.Key) { k.Disabled = true })
	i.answers("stored key", 401, "")
	i.edit("partner", "one", func(k *sqlstore.Key) { k.Disabled = false })
	i.answers("stored key", 200, "shop/partner")
	i.update(func(tx *sqlstore.Tx) error {
		a, err := tx.App(sqlstore.AppName{Namespace: "shop", Name: "partner"})
		if err != nil {
			return err
		}
		a.Disabled = true
		_, err = tx.UpdateApp(a)
		return err
	})
	i.answers("stored key", 401, "")
	i.issue("other", "one", "other key")
	i.answers("other key", 200, "shop/other")
	i.answers("other key", 200, "shop/other")
	i.edit("other", "one", func(k *sqlstore.Key) { k.RevokedAt = time.Now() })
	i.answers("other key", 401, "")
	i.answers("declared key", 200, "shop/declared")
	for series, want := range map[string]string{
		"postern_keystore_degraded": "0", "postern_keystore_read_failures_total": "0", "postern_keystore_clashing_apps": "0",
	} {
		if got := i.metric(series); got != want {
			t.Errorf("%s %s, want %s", series, got, want)
		}
	}
	for _, series := range []string{
		`postern_cache_hits_total{cache="keys"}`, "postern_keystore_reads_total", "postern_keystore_read_duration_seconds_count",
	} {
		if got := i.metric(series); got == "" || got == "0" {
			t.Errorf("%s %s", series, got)
		}
	}
}

// TestUsageIsWritten counts declared and stored keys, and writes what is left when it ends.
func TestUsageIsWritten(t *testing.T) {
	edit := withSQLite(t)
	now := start(t, shop(t), edit, func(cfg *config.Config) { cfg.Usage.FlushInterval = 10 * time.Millisecond })
	now.issue("partner", "one", "stored key")
	now.answers("stored key", 200, "shop/partner")
	requests := func(i *instance, key sqlstore.KeyName) (n int64) {
		counts, err := i.parts.stored.db.Usage(t.Context(), sqlstore.UsageFilter{Namespaces: []string{key.Namespace}, App: key.App, Key: key.Name}, sqlstore.UsagePlace{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range counts {
			n += c.Requests
		}
		return n
	}
	partner, ours := sqlstore.KeyName{Namespace: "shop", App: "partner", Name: "one"}, sqlstore.KeyName{Namespace: "shop", App: "declared", Name: "only"}
	now.await("written", func() bool { return requests(now, partner) == 1 })
	now.stop()
	<-now.ended

	last := start(t, shop(t), edit, func(cfg *config.Config) { cfg.Usage.FlushInterval = time.Hour })
	last.answers("stored key", 200, "shop/partner")
	last.answers("declared key", 200, "shop/declared")
	last.answers("no key", 401, "")
	last.stop()
	<-last.ended

	then := start(t, shop(t), edit)
	if got, of := requests(then, partner), requests(then, ours); got != 2 || of != 1 {
		t.Errorf("%d requests of the stored key, want 2; %d of the declared one, want 1", got, of)
	}
}

// TestExpiringKeysAreCounted counts those of the database when it starts.
func TestExpiringKeysAreCounted(t *testing.T) {
	edit := withSQLite(t)
	first := start(t, shop(t), edit)
	first.issue("partner", "one", "stored key")
	first.edit("partner", "one", func(k *sqlstore.Key) { k.ExpiresAt = time.Now().Add(24 * time.Hour) })
	first.stop()
	<-first.ended
	second := start(t, shop(t), edit)
	second.await("counted", func() bool { return second.metric(`postern_keystore_expiring_keys{key_namespace="shop"}`) == "1" })
}

// TestClash has an App in both places: the declared one counts, which is said, until one of them is gone.
func TestClash(t *testing.T) {
	files := shop(t)
	i := start(t, files, withSQLite(t))
	i.issue("partner", "one", "stored key")
	i.answers("stored key", 200, "shop/partner")
	said := func(n string) func() bool {
		return func() bool { return i.metric("postern_keystore_clashing_apps") == n }
	}
	files["app.yaml"] = declaredApp(t, "partner")
	i.write(files)
	i.await("declared", said("1"))
	i.answers("stored key", 401, "")
	i.answers("declared key", 200, "shop/partner")
	want := "app.yaml:4: App shop/partner: metadata.name: an App of this name is in the SQLite database " +
		i.cfg.KeyStore.Database.SQLite.File + " too; this one counts, and the keys of the other are refused; " +
		"rename this one, or delete the other with: postern apps delete partner -n shop"
	if !strings.Contains(i.out.String(), want) {
		t.Errorf("the log does not say %q:\n%s", want, i.out)
	}
	files["app.yaml"] = declaredApp(t, "declared")
	i.write(files)
	i.await("renamed", said("0"))
	i.answers("stored key", 200, "shop/partner")
	i.issue("declared", "one", "another key")
	i.answers("another key", 401, "")
	i.await("seen", said("1"))
	i.update(func(tx *sqlstore.Tx) error {
		return tx.DeleteApp(sqlstore.AppName{Namespace: "shop", Name: "declared"})
	})
	i.await("deleted", said("0"))
}

// TestBrokenDatabase reads nothing any more: declared keys and those that are remembered work on.
func TestBrokenDatabase(t *testing.T) {
	i := start(t, shop(t), withSQLite(t))
	i.issue("partner", "one", "stored key")
	i.issue("partner", "two", "never seen")
	i.answers("stored key", 200, "shop/partner")
	i.await("remembered", func() bool {
		i.answers("stored key", 200, "shop/partner")
		return i.metric(`postern_cache_hits_total{cache="keys"}`) != "0"
	})
	if err := i.parts.stored.db.Close(); err != nil {
		t.Fatal(err)
	}
	i.answers("never seen", 503, "")
	i.answers("no key", 503, "")
	i.answers("stored key", 200, "shop/partner")
	i.answers("declared key", 200, "shop/declared")
	i.await("degraded", func() bool {
		code, body := i.get("/readyz")
		return code == http.StatusOK && strings.Contains(body, `{"component":"keystore","reason":"the database of keys cannot be read`)
	})
	if got := i.metric("postern_keystore_degraded"); got != "1" {
		t.Errorf("postern_keystore_degraded %s", got)
	}
}

// TestDatabaseCannotBeOpened says at the start what is wrong, by field.
func TestDatabaseCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	path := func(name, text string) string {
		writeFile(t, filepath.Join(dir, name), text)
		return filepath.Join(dir, name)
	}
	for want, edit := range map[string]func(*config.KeyStore){
		"keystore.database.sqlite.file: the SQLite database: open " + dir + "/gone/keys.db: no such file or directory": func(k *config.KeyStore) {
			k.Database.SQLite.File = filepath.Join(dir, "gone", "keys.db")
		},
		"keystore.database.sqlite.file: ": func(k *config.KeyStore) {
			k.Database.SQLite.File = path("text.db", strings.Repeat("this is no database ", 100))
		},
		"keystore.secretsFile: open " + dir + "/gone: no such file or directory": func(k *config.KeyStore) {
			k.SecretsFile = filepath.Join(dir, "gone")
		},
		"keystore.secretsFile: " + dir + "/secrets.json: this is no Tink keyset": func(k *config.KeyStore) {
			k.SecretsFile = path("secrets.json", "{}")
		},
		"keystore.pepperFile: " + dir + "/pepper holds no pepper": func(k *config.KeyStore) { k.PepperFile = path("pepper", "# none\n") },
		"keystore.database.postgres.dsnFile: open " + dir + "/gone: no such file or directory": func(k *config.KeyStore) {
			k.Database = &config.Database{Postgres: &config.Postgres{DSNFile: filepath.Join(dir, "gone")}}
		},
		"keystore.database.postgres.dsnFile: the DSN of the PostgreSQL database cannot be read": func(k *config.KeyStore) {
			k.Database = &config.Database{Postgres: &config.Postgres{DSNFile: path("dsn", "postgres://u:canary@h:port/")}}
		},
	} {
		_, err := assemble(t, nil, withSQLite(t), func(cfg *config.Config) { edit(&cfg.KeyStore) })
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("got %v, want %s…", err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "gone")); !os.IsNotExist(err) {
		t.Error("a directory was made")
	}
}
