package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver
)

var sqliteDialect = dialect{
	tableExists: `SELECT count(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = $1`,
	lockRow:     "", // BEGIN IMMEDIATE has locked the whole database
	together:    4,  // there is no round trip to spare, and naming parameters takes a time that grows with their square
}

// openSQLite opens the database with one connection that writes, so that writers wait for their turn in Go rather than
// in SQLite's busy handler, and several that read. Readers see the last commit and wait for nobody (WAL).
//
// https://www.sqlite.org/pragma.html#pragma_synchronous: in WAL mode a commit outlives a loss of power only with
// synchronous=FULL.
func openSQLite(opts Options) (*database, error) {
	if err := touch(opts.File); err != nil {
		return nil, fmt.Errorf("the SQLite database: %w; its directory must exist and be writable", err)
	}
	writing := []string{"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)"}
	write, err := connectSQLite(opts.File, opts.Timeout, "immediate", 1, writing...)
	if err != nil {
		return nil, err
	}
	read, err := connectSQLite(opts.File, opts.Timeout, "deferred", readers(), "query_only(ON)")
	if err != nil {
		return nil, err
	}
	return &database{
		dialect: sqliteDialect, read: read, write: write,
		migrator: func(ctx context.Context) (*migrator, error) { return sqliteMigrator(ctx, opts.File, writing) },
	}, nil
}

// touch makes the file for its owner alone, if there is none. SQLite gives its -wal and -shm files the same mode.
func touch(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// connectSQLite opens a pool of connections. lock is what a transaction begins with.
func connectSQLite(file string, busy time.Duration, lock string, connections int, pragmas ...string) (*sql.DB, error) {
	query := url.Values{
		"_txlock": {lock},
		"_dqs":    {"0"},
		"_pragma": append([]string{"busy_timeout(" + strconv.FormatInt(busy.Milliseconds(), 10) + ")"}, pragmas...),
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// sqliteMigrator waits for the migrations of other processes. SQLite has no lock that outlives a transaction, and each
// migration is one, so the lock is a transaction too, in an empty database beside. It ends with its process.
func sqliteMigrator(ctx context.Context, file string, pragmas []string) (*migrator, error) {
	const patience = 5 * time.Minute
	beside := file + "-migrate"
	if err := touch(beside); err != nil {
		return nil, err
	}
	guard, err := connectSQLite(beside, patience, "exclusive", 1)
	if err != nil {
		return nil, err
	}
	lock, err := guard.BeginTx(ctx, nil)
	if err != nil {
		_ = guard.Close()
		return nil, err
	}
	unlock := func() {
		_ = lock.Rollback()
		_ = guard.Close()
	}
	db, err := connectSQLite(file, patience, "immediate", 1, pragmas...)
	if err != nil {
		unlock()
		return nil, err
	}
	return &migrator{db: db, dialect: goose.DialectSQLite3, folder: "sqlite", unlock: unlock}, nil
}
