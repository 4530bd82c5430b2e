package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/time/rate"

	"github.com/postern-auth/postern/internal/keystore"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/internal/listen"
	"github.com/postern-auth/postern/proto/postern/admin/v1/adminv1connect"
)

// Limits of a connection and of what comes over it.
const (
	maxMessage     = 1 << 20 // bytes of a request, decompressed
	maxHeader      = 32 << 10
	maxStreams     = 100
	headerTimeout  = 5 * time.Second
	requestTimeout = 30 * time.Second // to read it
	answerTimeout  = time.Minute      // from the end of its header to the end of the answer
	idleTimeout    = 2 * time.Minute
	callTimeout    = 15 * time.Second
)

// Options configure a Server. Store, Hasher and CallersFile are required.
type Options struct {
	Store  *sqlstore.Store
	Hasher *keystore.Hasher // makes digests of new keys, with its first pepper

	// CallersFile says who may call and do what. It is read again when it changes.
	CallersFile string

	// TLS serves TLS; nil serves plain text, to this machine only. Clients may do without a certificate if they have a
	// token; without a ClientCAFile there can be no caller with a certificate.
	TLS *listen.TLS

	// Declared says where resources declare an App, if they do; nil: they declare none.
	Declared func(namespace, name string) (where string, ok bool)

	// Observe is told the method of each call, _other if there is none of the name, and the code of its answer; nil: nobody
	// is. A message that cannot be decoded goes untold.
	Observe func(method, code string)

	Log *slog.Logger     // nil discards
	Now func() time.Time // the clock; nil: time.Now
}

// Server serves the admin API.
type Server struct {
	http *http.Server
}

var errIncomplete = errors.New("admin: Options need a Store, a Hasher and a CallersFile")

// New makes a Server. It reads the callers and the TLS files once, so that bad ones fail here.
func New(opts Options) (*Server, error) {
	if opts.Store == nil || opts.Hasher == nil || opts.CallersFile == "" {
		return nil, errIncomplete
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Observe == nil {
		opts.Observe = func(string, string) {}
	}
	if opts.Declared == nil {
		opts.Declared = func(string, string) (string, bool) { return "", false }
	}
	callers, err := followCallers(opts.CallersFile, opts.TLS != nil && opts.TLS.ClientCAFile != "", opts.Log)
	if err != nil {
		return nil, err
	}
	handler, err := newHandler(&opts)
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler:           &authenticate{callers: callers, next: handler, failures: newFailures(opts.Now), observe: opts.Observe, log: opts.Log},
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		Protocols:         new(http.Protocols),
		ErrorLog:          slog.NewLogLogger(opts.Log.Handler(), slog.LevelWarn),
	}
	server.Protocols.SetHTTP1(true)
	if opts.TLS == nil {
		server.Protocols.SetUnencryptedHTTP2(true)
		return &Server{http: server}, nil
	}
	server.Protocols.SetHTTP2(true)
	files := *opts.TLS
	files.ClientsWithout = true
	if server.TLSConfig, err = files.Config(opts.Log, "h2", "http/1.1"); err != nil {
		return nil, err
	}
	return &Server{http: server}, nil
}

// newHandler serves the four services to whom authenticate has found.
func newHandler(opts *Options) (http.Handler, error) {
	check, err := newValidator()
	if err != nil {
		return nil, err
	}
	s := &service{
		store: opts.Store, hasher: opts.Hasher, declared: opts.Declared, observe: opts.Observe, log: opts.Log, now: opts.Now,
		refusals: rate.NewLimiter(rate.Every(time.Second), refusalsAtOnce),
	}
	options := []connect.HandlerOption{
		connect.WithReadMaxBytes(maxMessage),
		connect.WithRecover(s.recovered),
		connect.WithInterceptors(
			connect.UnaryInterceptorFunc(s.answer), connect.UnaryInterceptorFunc(s.authorize), connect.UnaryInterceptorFunc(check.intercept),
		),
	}
	mux := http.NewServeMux()
	mux.Handle(adminv1connect.NewAppServiceHandler(apps{s}, options...))
	mux.Handle(adminv1connect.NewKeyServiceHandler(keys{s}, options...))
	mux.Handle(adminv1connect.NewUsageServiceHandler(usage{s}, options...))
	mux.Handle(adminv1connect.NewAuditServiceHandler(audit{s}, options...))
	return mux, nil
}

// Serve accepts connections on lis and closes it in the end. It returns nil after Shutdown. Without TLS it refuses a
// listener that other machines can reach.
func (s *Server) Serve(lis net.Listener) error {
	err := s.mayServe(lis.Addr())
	switch {
	case err != nil:
		_ = lis.Close()
		return err
	case s.http.TLSConfig != nil:
		err = s.http.ServeTLS(lis, "", "")
	default:
		err = s.http.Serve(lis)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (s *Server) mayServe(addr net.Addr) error {
	if s.http.TLSConfig != nil || local(addr) {
		return nil
	}
	return fmt.Errorf("the admin API would listen on %s without TLS, and tokens would cross the network in plain text; "+
		"set admin.tls, or listen on 127.0.0.1 or a unix:///path", addr)
}

// local reports whether only this machine can connect to the address.
func local(addr net.Addr) bool {
	switch addr := addr.(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return addr.IP.IsLoopback()
	default:
		return false
	}
}

// Shutdown stops accepting, and waits for calls under way. When ctx ends first, they are cut off and ctx's error is
// returned.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	return err
}
