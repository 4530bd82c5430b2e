package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/proto/postern/admin/v1/adminv1connect"
	"github.com/postern-auth/postern/test/harness"
)

// postgres is one server for all tests; each has a database of its own.
var postgres *harness.Postgres

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // the first time, it is installed
	dir, err := os.MkdirTemp("", "admin")
	if err == nil {
		postgres, err = harness.StartPostgres(ctx, dir, "fsync=off")
	}
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "admin:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(), goleak.Cleanup(func(code int) {
		postgres.Kill()
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

var databases atomic.Int64

// both runs a test with a new database of each kind.
func both(t *testing.T, test func(t *testing.T, database sqlstore.Options)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, sqlite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		dsn, err := postgres.CreateDatabase(t.Context(), fmt.Sprintf("test%d", databases.Add(1)))
		if err != nil {
			t.Fatal(err)
		}
		test(t, sqlstore.Options{DSN: authz.Secret(dsn)})
	})
}

func sqlite(t *testing.T) sqlstore.Options {
	t.Helper()
	return sqlstore.Options{File: filepath.Join(t.TempDir(), "keys.db")}
}

// Tokens of the callers of tests.
const (
	rootToken     = "root-token-0123456789-0123456789-abc" // admin everywhere
	adminToken    = "admin-token-0123456789-0123456789-ab" // admin in shop
	operatorToken = "operator-token-0123456789-0123456789"
	viewerToken   = "viewer-token-0123456789-0123456789-a"
	otherToken    = "other-token-0123456789-0123456789-ab" // admin in other
)

func callersText() string {
	entry := func(name, token, role, namespace string) string {
		return fmt.Sprintf("- name: %s\n  tokenDigest: %s\n  roles:\n  - role: %s\n    namespaces: [%q]\n",
			name, keystore.NewHasher().Keep(authz.Secret(token)), role, namespace)
	}
	return "callers:\n" + entry("root", rootToken, "admin", "*") + entry("shop-admin", adminToken, "admin", "shop") +
		entry("shop-operator", operatorToken, "operator", "shop") + entry("shop-viewer", viewerToken, "viewer", "shop") +
		entry("other-admin", otherToken, "admin", "other")
}

// clock is a time that tests move.
type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMicro(c.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.Add(d.Microseconds()) }

var sealer = keystoretest.Sealer()

var hasher = keystore.NewHasher(keystore.Pepper{ID: "p1", Secret: "0123456789abcdef"})

// running is an admin API that serves.
type running struct {
	t           *testing.T
	url         string
	store       *sqlstore.Store
	clock       *clock
	log         *harness.Output
	callersFile string
}

// start serves the API over a new database. change may set Options.
func start(t *testing.T, database sqlstore.Options, change ...func(*Options)) *running {
	t.Helper()
	s := &running{t: t, clock: &clock{}, log: &harness.Output{}, callersFile: filepath.Join(t.TempDir(), "callers.yaml")}
	s.clock.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	database.Migrate, database.Sealer, database.Now = true, sealer, s.clock.now
	var err error
	if s.store, err = sqlstore.Open(database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.store.Close() })
	if err := s.store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.callersFile, []byte(callersText()), 0o600); err != nil {
		t.Fatal(err)
	}
	options := Options{
		Store: s.store, Hasher: hasher, CallersFile: s.callersFile, Now: s.clock.now,
		Log: slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, set := range change {
		set(&options)
	}
	server, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + lis.Addr().String()
	if options.TLS != nil {
		s.url = "https://" + lis.Addr().String()
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(lis) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// protocols are the ways to talk to the API.
var protocols = map[string][]connect.ClientOption{
	"gRPC":     {connect.WithGRPC()},
	"gRPC-Web": {connect.WithGRPCWeb()},
	"JSON":     {connect.WithProtoJSON()},
}

// bearer sends a token.
type bearer struct {
	token string
	next  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

// client returns an HTTP client of a caller. gRPC needs HTTP/2, which is spoken in plain text here.
func (s *running) client(token string, http2 bool) *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetUnencryptedHTTP2(http2)
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: bearer{token, transport}}
}

func (s *running) apps(token string) adminv1connect.AppServiceClient {
	return adminv1connect.NewAppServiceClient(s.client(token, false), s.url, connect.WithProtoJSON())
}

func (s *running) keys(token string) adminv1connect.KeyServiceClient {
	return adminv1connect.NewKeyServiceClient(s.client(token, true), s.url, connect.WithGRPC())
}

func (s *running) audit(token string) adminv1connect.AuditServiceClient {
	return adminv1connect.NewAuditServiceClient(s.client(token, false), s.url)
}

func (s *running) usage(token string) adminv1connect.UsageServiceClient {
	return adminv1connect.NewUsageServiceClient(s.client(token, false), s.url)
}

// post sends a JSON body as curl would, and returns what answerOf does.
func (s *running) post(token, procedure, body string) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+procedure, bytes.NewBufferString(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return answerOf(s.t, s.client(token, false), r)
}

func connectError(err error) *connect.Error {
	if e, ok := errors.AsType[*connect.Error](err); ok {
		return e
	}
	return connect.NewError(connect.CodeUnknown, err)
}

// answerOf returns the status, the challenge and the body.
func answerOf(t *testing.T, c *http.Client, r *http.Request) string {
	t.Helper()
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(response.StatusCode, " ", response.Header.Get("WWW-Authenticate"), " ", string(text))
}
