package sqlstore

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
)

func TestSchemaVersionIsThatOfTheLastMigration(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		s := open(t, o)
		for _, folder := range []string{"sqlite", "postgres"} {
			files := must[[]fs.DirEntry](t)(migrations.ReadDir("migrations/" + folder))
			if len(files) != SchemaVersion {
				t.Errorf("%s: %d migrations, and SchemaVersion is %d", folder, len(files), SchemaVersion)
			}
		}
		if found := must[schema](t)(s.schema(t.Context())); found.version != SchemaVersion {
			t.Errorf("after all migrations the schema says %+v", found)
		}
	})
}

func TestReplicasMigrateAtOnce(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		o.Migrate = true
		stores := make([]*Store, 4)
		for i := range stores {
			stores[i] = must[*Store](t)(Open(o))
			t.Cleanup(func() { _ = stores[i].Close() })
		}
		var wg sync.WaitGroup
		for _, s := range stores {
			wg.Go(func() {
				if err := s.Prepare(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		withApp(t, stores[0], acme)
		must[App](t)(stores[1].App(t.Context(), acme))
		if n := must[int](t)(one(t.Context(), stores[0].db.read, func(row scanner) (n int, err error) { return n, row.Scan(&n) },
			`SELECT count(*) FROM goose_db_version WHERE version_id > 0`)); n != SchemaVersion {
			t.Errorf("%d migrations were applied", n)
		}
	})
}

// withNext adds a next migration to those there are.
func withNext(t *testing.T, statements string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	if err := fs.WalkDir(migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			text, _ := migrations.ReadFile(path)
			files[path] = &fstest.MapFile{Data: text}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	next := &fstest.MapFile{Data: []byte("-- +goose Up\n" + statements + "UPDATE schema_info SET version = 2;\n")}
	maps.Copy(files, fstest.MapFS{"migrations/sqlite/00002_next.sql": next, "migrations/postgres/00002_next.sql": next})
	return files
}

const additive = `ALTER TABLE keys ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';
ALTER TABLE apps ADD COLUMN colour TEXT;
CREATE TABLE colours (name TEXT PRIMARY KEY);
`

func TestProgramWorksOnTheNextSchema(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		o.PollInterval = 1
		running := open(t, o) // before the next version comes
		j := follow(t, running)
		withApp(t, running, acme, apiKey(acme, "before"))
		next := withNext(t, additive)
		if from, to, err := running.migrate(t.Context(), next, SchemaVersion+1); err != nil || from != 1 || to != 2 {
			t.Fatal(from, to, err)
		}
		for _, s := range []*Store{running, open(t, o)} {
			if from, to, err := s.Migrate(t.Context()); err != nil || from != 2 || to != 2 {
				t.Error(from, to, err)
			}
			app := AppName{"shop", "app-" + map[bool]string{true: "running", false: "started"}[s == running]}
			withApp(t, s, app, apiKey(app, "a"), hmacKey(app, "b", app.Name))
			change(t, s, KeyName{"shop", app.Name, "a"}, func(k *Key) { k.Disabled = true })
			update(t, s, makes(func(tx *Tx) (Event, error) { return tx.AppendEvent(Event{Caller: "a"}) }))
			if k := must[*keystore.Key](t)(s.ByDigest(t.Context(), apiKey(app, "a").Digest)); !k.Disabled {
				t.Errorf("%v", k)
			}
			j.hears(t, Change{App: app, SigningID: app.Name})
		}
	})
}

func TestKeyStoreLawOnTheNextSchema(t *testing.T) {
	keystoretest.Test(t, func(t *testing.T, keys []*keystore.Key) keystore.Store {
		o := Options{File: filepath.Join(t.TempDir(), "keys.db")}
		if _, _, err := open(t, o).migrate(t.Context(), withNext(t, additive), 2); err != nil {
			t.Fatal(err)
		}
		s := open(t, o)
		update(t, s, func(tx *Tx) error { return put(tx, keys) })
		return s
	})
}

func TestUnsuitableSchemaIsRefused(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		fresh := must[*Store](t)(Open(o))
		defer func() { _ = fresh.Close() }()
		if err := fresh.Prepare(t.Context()); !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "run: postern migrate") {
			t.Error(err)
		}
		breaking := "UPDATE schema_info SET min_program = 2;\n"
		if _, _, err := open(t, o).migrate(t.Context(), withNext(t, breaking), 2); err != nil {
			t.Fatal(err)
		}
		o.Migrate = true
		late := must[*Store](t)(Open(o))
		defer func() { _ = late.Close() }()
		if err := late.Prepare(t.Context()); !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "run a newer version of postern") {
			t.Error(err)
		}
		if _, err := late.ByDigest(t.Context(), digest("a")); !errors.Is(err, ErrNotPrepared) {
			t.Error(err)
		}
	})
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		s := open(t, o)
		if _, _, err := s.migrate(t.Context(), withNext(t, "CREATE TABLE colours (name TEXT);\nSELECT nonsense;\n"), 2); err == nil {
			t.Fatal("it succeeded")
		}
		if found := must[schema](t)(s.schema(t.Context())); found.version != 1 {
			t.Errorf("%+v", found)
		}
		if _, to, err := s.migrate(t.Context(), withNext(t, additive), 2); err != nil || to != 2 {
			t.Error(to, err)
		}
	})
}

func TestDatabaseFilesAreTheirOwners(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{File: filepath.Join(dir, "keys ?#%.db")})
	withApp(t, s, acme)
	files := must[[]os.DirEntry](t)(os.ReadDir(dir))
	if len(files) < 3 {
		t.Errorf("only %v", files)
	}
	for _, f := range files {
		if info := must[os.FileInfo](t)(f.Info()); info.Mode().Perm() != 0o600 || !strings.HasPrefix(f.Name(), "keys ?#%.db") {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
}
