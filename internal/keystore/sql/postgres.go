package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

var postgresDialect = dialect{
	tableExists: `SELECT to_regclass($1) IS NOT NULL`,
	lockRow:     ` FOR UPDATE`,
	notify:      `NOTIFY ` + channel,
	together:    100,
}

// channel is where replicas tell each other that something has changed.
const channel = "postern_changes"

// errDSN does not repeat what the parser says, since that may be a part of the password.
var errDSN = errors.New("the DSN of the PostgreSQL database cannot be read; " +
	"write postgres://user:password@host:5432/database?sslmode=verify-full, with special characters in percent-encoding")

// openPostgres makes a pool. Of several hosts it takes the primary, whatever the DSN says of target_session_attrs. Its
// sessions end statements that take too long, and transactions whose client is gone and that would otherwise keep
// everybody from writing.
func openPostgres(opts Options) (*database, error) {
	config, err := pgx.ParseConfig(opts.DSN.Reveal())
	if file := new(fs.PathError); errors.As(err, &file) {
		return nil, fmt.Errorf("a file that the DSN of the PostgreSQL database names: %w", file)
	}
	if err != nil {
		return nil, errDSN
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = opts.ConnectTimeout
	}
	setDefault(config.RuntimeParams, "application_name", "postern")
	config.RuntimeParams["default_transaction_isolation"] = "read committed"
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary // on a standby, what was revoked may be good yet
	patient := config.Copy()
	setDefault(config.RuntimeParams, "statement_timeout", milliseconds(opts.Timeout))
	setDefault(config.RuntimeParams, "idle_in_transaction_session_timeout", milliseconds(opts.Timeout))

	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(opts.MaxConnections)
	db.SetMaxIdleConns(opts.MaxConnections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(30 * time.Minute) // so that connections find another server after a failover
	l := listener{config: patient, timeout: opts.Timeout, log: opts.Log}
	return &database{
		dialect: postgresDialect, read: db, write: db,
		migrator: func(context.Context) (*migrator, error) { return postgresMigrator(patient) },
		listen:   l.listen,
	}, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func setDefault(m map[string]string, name, value string) {
	if _, given := m[name]; !given {
		m[name] = value
	}
}

// postgresMigrator lets goose wait for the migrations of other replicas with an advisory lock of its session.
func postgresMigrator(config *pgx.ConnConfig) (*migrator, error) {
	const every, times = 1, 300 // seconds
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(every, times))
	if err != nil {
		return nil, err
	}
	return &migrator{
		db: stdlib.OpenDB(*config), dialect: goose.DialectPostgres, folder: "postgres",
		options: []goose.ProviderOption{goose.WithSessionLocker(locker)}, unlock: func() {},
	}, nil
}
