package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// SchemaVersion is the version of the schema that this program is made for: the number of the last migration.
const SchemaVersion = 1

//go:embed migrations
var migrations embed.FS

// ErrSchema says that this program cannot work with the schema of the database.
var ErrSchema = errors.New("the schema of the database of keys")

// schema is what a database says about its own; the zero value is that of an empty database.
type schema struct {
	version    int
	minProgram int // the version that a program must be made for, at least
}

// suits reports whether a program that is made for the version can work with the schema. A newer one suits if it says
// so: it only has what older programs do not ask for.
func (s schema) suits(version int) error {
	switch {
	case s.version < version:
		return fmt.Errorf("%w is %d, older than this program's %d; run: postern migrate", ErrSchema, s.version, version)
	case s.minProgram > version:
		return fmt.Errorf("%w is %d, which programs made for a schema before %d cannot use; this one is made for %d: run a newer version of postern",
			ErrSchema, s.version, s.minProgram, version)
	}
	return nil
}

// migrator is a connection to migrate over.
type migrator struct {
	db      *sql.DB
	dialect goose.Dialect
	folder  string // of the migrations
	options []goose.ProviderOption
	unlock  func() // called at the end
}

// Prepare makes the Store ready: it checks that the schema suits this program, after migrating it if the Options say so.
// It may be called again, after an error and after success.
func (s *Store) Prepare(ctx context.Context) error {
	if s.prepared.Load() {
		return nil
	}
	if s.opts.Migrate {
		if _, _, err := s.Migrate(ctx); err != nil {
			return err
		}
	}
	found, err := s.schema(ctx)
	if err == nil {
		err = found.suits(SchemaVersion)
	}
	if err != nil {
		return err
	}
	s.prepared.Store(true)
	return nil
}

// Migrate brings the schema to this program's version and returns the versions before and after. A newer one stays as
// it is. Of several that migrate at once, one does and the others wait.
func (s *Store) Migrate(ctx context.Context) (from, to int, err error) {
	return s.migrate(ctx, migrations, SchemaVersion)
}

func (s *Store) migrate(ctx context.Context, files fs.FS, version int) (from, to int, err error) {
	before, err := s.schema(ctx)
	if err != nil || before.version >= version {
		return before.version, before.version, err
	}
	m, err := s.db.migrator(ctx)
	if err != nil {
		return before.version, before.version, unavailable(err)
	}
	defer m.unlock()
	defer func() { _ = m.db.Close() }()
	folder, err := fs.Sub(files, "migrations/"+m.folder)
	if err != nil {
		return before.version, before.version, err
	}
	provider, err := goose.NewProvider(m.dialect, m.db, folder, append(m.options, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return before.version, before.version, err
	}
	if _, err := provider.UpTo(ctx, int64(version)); err != nil {
		return before.version, before.version, fmt.Errorf("migrating the database of keys: %w", err)
	}
	after, err := s.schema(ctx)
	return before.version, after.version, err
}

func (s *Store) schema(ctx context.Context) (schema, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	exists, err := one(ctx, s.db.read, func(row scanner) (yes bool, err error) { return yes, row.Scan(&yes) }, s.db.tableExists, "schema_info")
	if err != nil || !exists {
		return schema{}, err
	}
	return one(ctx, s.db.read, func(row scanner) (v schema, err error) { return v, row.Scan(&v.version, &v.minProgram) },
		`SELECT version, min_program FROM schema_info`)
}
