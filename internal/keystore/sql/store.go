// Package sqlstore keeps Apps and their keys in a database: SQLite, a file beside the server, or PostgreSQL, which several
// replicas share. It is one implementation; a [database] holds the little in which the two differ.
//
//	[Open]     connects to nothing yet
//	Prepare    checks the schema, or migrates it
//	ByDigest   and the rest of keystore.Store: one indexed read of a key with its App
//	Update     one transaction of the admin API: what it writes, who did it, and under which request id
//	Follow     tells what remembers keys what has changed, here and on other replicas, and removes what is old
//
// A change gets its number and its row in the table changes in the transaction that makes it. Who follows polls that
// table, which is the truth; PostgreSQL's NOTIFY only makes the next poll come sooner. Programs one version apart work on
// one schema: a migration only adds, or says in schema_info which programs it leaves behind.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// Options say where the database is and how to use it. The zero value of a field stands for its default, if it has one.
type Options struct {
	File string       // of a SQLite database, made if there is none. Exactly one of File and DSN is given.
	DSN  authz.Secret // of a PostgreSQL database: a URL or key=value pairs, as libpq takes them; sslmode says whether TLS

	MaxConnections int           // to PostgreSQL; 10
	ConnectTimeout time.Duration // to PostgreSQL, unless the DSN says connect_timeout; 3 s
	Timeout        time.Duration // of a transaction and each of its statements; 5 s
	PollInterval   time.Duration // of the sequence of changes; 5 s
	UsageKept      time.Duration // how long the counts of a day are kept; 400 days
	Migrate        bool          // Prepare migrates a schema that is too old

	Sealer Sealer // of HMAC secrets; nil: there can be none
	Log    *slog.Logger
	Now    func() time.Time // the clock; time.Now
}

func (o *Options) setDefaults() {
	if o.MaxConnections == 0 {
		o.MaxConnections = 10
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 3 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.PollInterval == 0 {
		o.PollInterval = 5 * time.Second
	}
	if o.UsageKept == 0 {
		o.UsageKept = 400 * 24 * time.Hour
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Store keeps Apps and keys. It implements keystore.Store and is safe for concurrent use.
type Store struct {
	opts     Options
	db       *database
	prepared atomic.Bool

	followers followers
	peppers   peppers
	stats     stats
}

// database is SQLite or PostgreSQL.
type database struct {
	dialect

	read  *sql.DB
	write *sql.DB // the same for PostgreSQL

	// migrator connects for a migration, which takes as long as it takes.
	migrator func(ctx context.Context) (*migrator, error)
	// listen calls woken when somebody has told of changes, and goes on until ctx ends; nil: nobody tells.
	listen func(ctx context.Context, woken func(), listening func(bool))
}

// dialect is the SQL that the two do not share.
type dialect struct {
	tableExists string // a query for a truth: is there the table $1
	lockRow     string // ends a query that locks the row it reads until the end of the transaction
	notify      string // tells replicas of changes when the transaction is committed; empty: there are none
	together    int    // how many rows one statement inserts
}

// Open makes a Store. It fails if the Options are wrong and connects to nothing: until [Store.Prepare] has succeeded,
// every question is answered with ErrNotPrepared.
func Open(opts Options) (*Store, error) {
	opts.setDefaults()
	s := &Store{opts: opts}
	var err error
	switch {
	case (opts.File == "") == (opts.DSN == ""):
		err = errors.New("give the file of a SQLite database or the DSN of a PostgreSQL database, and not both")
	case opts.File != "":
		s.db, err = openSQLite(opts)
	default:
		s.db, err = openPostgres(opts)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends all connections. Nothing may use the Store afterwards.
func (s *Store) Close() error {
	err := s.db.write.Close()
	if s.db.read != s.db.write {
		err = errors.Join(err, s.db.read.Close())
	}
	return err
}

// read asks the database outside of a transaction.
func read[T any](ctx context.Context, s *Store, ask func(context.Context, querier) (T, error)) (T, error) {
	if !s.prepared.Load() {
		var none T
		return none, ErrNotPrepared
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	return ask(ctx, s.db.read)
}

// readers is how many connections read a SQLite database at a time; more would wait for the processor.
func readers() int { return max(4, runtime.GOMAXPROCS(0)) }
