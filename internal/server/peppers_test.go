package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/seal"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
)

// TestPeppersAreReadAgain adds a pepper to the file, breaks the file, and takes the old pepper away.
func TestPeppersAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "peppers")
	writeFile(t, file, pepperLine)
	files := shop(t)
	i := start(t, files, func(cfg *config.Config) {
		cfg.KeyStore.PepperFile = file
		cfg.KeyStore.Database = &config.Database{SQLite: &config.SQLite{File: filepath.Join(dir, "keys.db")}}
	})
	i.issue("partner", "one", "stored key")
	i.answers("stored key", 200, "shop/partner")

	const newLine = "p2:ZmVkY2JhOTg3NjU0MzIxMA==\n"
	added, err := keystore.ParsePeppers([]byte(newLine))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := keystore.NewHasher().Digest("", "declared key")
	if err != nil {
		t.Fatal(err)
	}
	files["app.yaml"] = strings.ReplaceAll(files["app.yaml"], plain.String(), keystore.NewHasher(added...).Keep("declared key").String())
	files["old.yaml"] = strings.NewReplacer("declared", "old", keystore.NewHasher(added...).Keep("declared key").String(),
		i.parts.hasher.Keep("old key").String()).Replace(files["app.yaml"])
	files["secret.yaml"] = `
apiVersion: v1
kind: Secret
metadata: {name: of-a-secret, namespace: shop, labels: {postern.dev/credential: api-key}}
stringData: {key: secret key}
`
	i.write(files)
	i.await("the App is in error", func() bool { return i.metric("postern_resource_errors") == "1" })
	writeFile(t, file, newLine+pepperLine)
	i.await("the App is good", func() bool { return i.metric("postern_resource_errors") == "0" })
	i.answers("declared key", 200, "shop/declared")
	i.answers("stored key", 200, "shop/partner")
	i.issue("partner", "two", "new key")
	i.answers("new key", 200, "shop/partner")

	writeFile(t, file, "# none\n")
	i.await("it is said", func() bool { return strings.Contains(i.out.String(), file+" holds no pepper") })
	i.answers("declared key", 200, "shop/declared")
	i.answers("stored key", 200, "shop/partner")

	writeFile(t, file, newLine)
	i.await("the old pepper is gone", func() bool { return !i.parts.hasher.Has("p1") })
	i.await("the App whose key needs it is in error", func() bool { return i.metric("postern_resource_errors") == "1" })
	i.answers("secret key", 200, "shop/of-a-secret")
	i.answers("stored key", 401, "")
	i.answers("declared key", 200, "shop/declared")
	i.answers("new key", 200, "shop/partner")
}

// TestSecretsFileIsReadAgain adds a key to the file while the database is open.
func TestSecretsFileIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Default()
	cfg.KeyStore.SecretsFile = filepath.Join(dir, "secrets.json")
	cfg.KeyStore.Database = &config.Database{SQLite: &config.SQLite{File: filepath.Join(dir, "keys.db")}}
	text, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, cfg.KeyStore.SecretsFile, string(text))
	db, err := openDatabase(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := sqlstore.AppName{Namespace: "shop", Name: "acme"}
	store := func(name string) error {
		return db.Update(t.Context(), func(tx *sqlstore.Tx) error {
			if _, err := tx.App(app); err != nil {
				if _, err := tx.CreateApp(sqlstore.App{AppName: app}); err != nil {
					return err
				}
			}
			_, err := tx.CreateKey(sqlstore.Key{
				KeyName: sqlstore.KeyName{Namespace: "shop", App: "acme", Name: name}, Type: sqlstore.HMACSecret,
				SigningID: name, Secret: authz.Secret(strings.Repeat(name, 32)),
			})
			return err
		})
	}
	if err := store("a"); err != nil {
		t.Fatal(err)
	}
	if text, err = seal.Add(text); err != nil {
		t.Fatal(err)
	}
	writeFile(t, cfg.KeyStore.SecretsFile, string(text))
	if err := store("b"); err != nil {
		t.Fatal(err)
	}
	keys, err := db.ByApp(t.Context(), "shop", "acme")
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	if n, err := db.Rewrap(t.Context()); n != 1 || err != nil {
		t.Errorf("%d secrets were sealed with the old key, %v; want 1", n, err)
	}
	if err := os.Remove(cfg.KeyStore.SecretsFile); err != nil {
		t.Fatal(err)
	}
	if err := store("c"); err != nil {
		t.Errorf("without the file the last keys are not used: %v", err)
	}
}
