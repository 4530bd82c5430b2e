package replay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// dialTimeout bounds connecting, TLS and authentication. Who asks a question waits less, and finds the connection ready
// the next time.
const dialTimeout = time.Second

// RedisOptions say where a Redis is and how to talk to it. The files are read again for each connection, so that they
// can be replaced.
type RedisOptions struct {
	Network, Address string // as net.Dial takes them
	Username         string // of an ACL user; empty: the default user
	PasswordFile     string // one final newline is dropped; empty: no password
	TLS              *RedisTLS
	Timeout          time.Duration // for one question
	// Durable says that Redis keeps all it has acknowledged when it restarts and when another takes over: appendonly
	// yes with appendfsync always, and no replica that lags. Otherwise a restart makes the memory begin anew.
	Durable bool
	Log     *slog.Logger
	Now     func() time.Time
}

// RedisTLS is how TLS is spoken with Redis.
type RedisTLS struct {
	CAFile            string // PEM; empty: the CAs of the system
	CertFile, KeyFile string // PEM, for a Redis that asks for a client certificate
	ServerName        string // in its certificate; empty: the host of the address
}

// NewRedis makes a Redis. It reads the files, and does not connect yet.
func NewRedis(o RedisOptions) (*Redis, error) {
	if _, err := o.password(); err != nil {
		return nil, err
	}
	if o.TLS != nil {
		if _, err := o.TLS.config(o.Address); err != nil {
			return nil, err
		}
	}
	redis.SetLogger(&logging.VoidLogger{}) // what it has to say comes back as an error, too
	options := &redis.Options{
		Network:                    o.Network,
		Addr:                       o.Address,
		Dialer:                     o.dial,
		CredentialsProviderContext: o.credentials,
		Protocol:                   2,
		ContextTimeoutEnabled:      true,
		MaxRetries:                 -1, // a question asked twice finds itself
		DialerRetries:              1,
		DialTimeout:                dialTimeout,
		ReadTimeout:                -1, // ctx alone says how long to wait, for writes too
		PoolTimeout:                dialTimeout,
		PipelinePoolSize:           -1,
		DisableIdentity:            true,
		MaintNotificationsConfig:   &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	m := &Redis{client: redis.NewClient(options), timeout: o.Timeout, log: o.Log, now: o.Now}
	if o.Durable {
		m.durable = keepsAll
	}
	return m, nil
}

func (o *RedisOptions) credentials(context.Context) (username, password string, err error) {
	password, err = o.password()
	return o.Username, password, err
}

func (o *RedisOptions) password() (string, error) {
	if o.PasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("passwordFile: %w", err)
	}
	password := strings.TrimSuffix(string(text), "\n")
	if password == "" {
		return "", fmt.Errorf("passwordFile: %s is empty; write the password into it", o.PasswordFile)
	}
	return password, nil
}

func (o *RedisOptions) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, o.Network, o.Address)
	if err != nil || o.TLS == nil {
		return conn, err
	}
	config, err := o.TLS.config(o.Address)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return tlsConn{secured, conn.(syscall.Conn)}, nil
}

// tlsConn shows the pool the socket below TLS, where it sees that Redis has hung up before it sends a question.
type tlsConn struct {
	*tls.Conn

	socket syscall.Conn
}

// SyscallConn implements [syscall.Conn].
func (c tlsConn) SyscallConn() (syscall.RawConn, error) { return c.socket.SyscallConn() }

func (t *RedisTLS) config(address string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.caFile: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.caFile: %s holds no PEM certificate", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.certFile: %s with key %s: %w", t.CertFile, t.KeyFile, err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config, nil
}
