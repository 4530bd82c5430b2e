package extauthz

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/listen"
)

// Defaults of Options.
const (
	DefaultDeadline  = 150 * time.Millisecond
	DefaultBodyLimit = 1 << 20
)

// Limits of a connection and of what comes over it.
const (
	maxStreams     = 1000
	maxMetadata    = 64 << 10         // of a call, as HTTP/2 counts it
	connectTimeout = 10 * time.Second // for TLS and HTTP/2 to be set up
	// Fixed windows, wide enough for any check: by default grpc measures the connection with a ping a round trip.
	streamWindow    = 1 << 20
	connWindow      = 16 << 20
	maxAge          = 30 * time.Minute // grpc varies it by a tenth either way
	maxAgeGrace     = 30 * time.Second
	pingAfter       = time.Minute // of silence
	pingTimeout     = 20 * time.Second
	minPingInterval = 5 * time.Second // from Envoy
	workersPerCPU   = 8

	// headroom is how much larger than the longest body a CheckRequest may be: headers, path, certificate, metadata.
	headroom = MaxHeaderBytes + 256<<10

	// maxMessage is what grpc receives at all. A message between the limit and this one is answered with a decision,
	// unread. It is far above what Envoy should ever buffer, since grpc answers a larger one with an RPC error.
	maxMessage = 64 << 20
)

// Options configure a Server. Only Checker is required.
type Options struct {
	Checker Checker

	// Refused is told every denial that the Checker did not make: the request could not be decoded or has two
	// readings, the Checker panicked, or its Decision could not be sent. Of the last the Checker has already made a
	// Decision of its own. The Request may be partly filled, and is not to be kept.
	Refused func(r *authz.Request, d *authz.Decision)

	// TLS serves TLS; nil serves plaintext.
	TLS *listen.TLS

	// Deadline is how long a check may take; 0 means DefaultDeadline. An earlier deadline of the caller holds.
	Deadline time.Duration

	// BodyLimit is the longest request body that is accepted, in bytes; 0 means DefaultBodyLimit. It should not be
	// less than Envoy's max_request_bytes, for a CheckRequest with more is answered 413 unread. One of more than
	// 64 MiB is an RPC error, which Envoy may be configured to let through.
	BodyLimit int

	// Log receives panics and failures to reload certificates; nil discards them.
	Log *slog.Logger
}

// Server answers Envoy's checks. It also serves grpc.health.v1, which says SERVING while SetReady(true) holds.
type Server struct {
	checker  Checker
	refused  func(*authz.Request, *authz.Decision)
	deadline time.Duration
	log      *slog.Logger

	grpc   *grpc.Server
	health *health.Server
	panics atomic.Uint64
}

// Stats are counters since the start.
type Stats struct {
	Panics uint64 // checks that panicked
}

var errNoChecker = errors.New("extauthz: Options.Checker is not set")

// New makes a Server that is not ready yet. It must be Shutdown, whether it was served or not. With TLS it reads the
// files once, so that a bad one fails here.
func New(opts Options) (*Server, error) {
	if opts.Checker == nil {
		return nil, errNoChecker
	}
	s := &Server{
		checker:  opts.Checker,
		refused:  opts.Refused,
		deadline: opts.Deadline,
		log:      opts.Log,
		health:   health.NewServer(),
	}
	if s.deadline == 0 {
		s.deadline = DefaultDeadline
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if opts.BodyLimit == 0 {
		opts.BodyLimit = DefaultBodyLimit
	}
	options := serverOptions(opts.BodyLimit + headroom)
	if opts.TLS != nil {
		config, err := opts.TLS.Config(s.log, "h2")
		if err != nil {
			return nil, err
		}
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	s.grpc = grpc.NewServer(options...)
	s.grpc.RegisterService(&serviceDesc, s)
	healthgrpc.RegisterHealthServer(s.grpc, healthService{s.health})
	s.SetReady(false)
	return s, nil
}

// serverOptions are the limits of a connection and of a message. Reflection is not registered.
func serverOptions(message int) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec(message)),
		grpc.MaxRecvMsgSize(max(maxMessage, 2*message)),
		grpc.MaxConcurrentStreams(maxStreams),
		// Workers keep their grown stacks; growing one anew for each check would cost a quarter of it. When all are
		// busy or waiting, grpc starts a goroutine as it would without them.
		grpc.NumStreamWorkers(uint32(workersPerCPU * runtime.GOMAXPROCS(0))),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.ConnectionTimeout(connectTimeout),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge:      maxAge,
			MaxConnectionAgeGrace: maxAgeGrace,
			Time:                  pingAfter,
			Timeout:               pingTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime:             minPingInterval,
			PermitWithoutStream: true,
		}),
	}
}

// Serve accepts connections on lis and closes it in the end. It returns nil after Shutdown. It may be called for several
// listeners at once.
func (s *Server) Serve(lis net.Listener) error {
	err := s.grpc.Serve(lis)
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// SetReady says whether the health service answers SERVING, for the whole server and for ServiceName. After Shutdown it
// has no effect.
func (s *Server) SetReady(ready bool) {
	state := healthgrpc.HealthCheckResponse_NOT_SERVING
	if ready {
		state = healthgrpc.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", state)
	s.health.SetServingStatus(ServiceName, state)
}

// Stats returns the counters.
func (s *Server) Stats() Stats { return Stats{Panics: s.panics.Load()} }

// Shutdown stops the server: not ready at once, no new connections, GOAWAY on those there are, and checks under way
// finish. When ctx ends first, whatever is left is cut off and ctx's error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.health.Shutdown()
	drained := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(drained)
	}()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		return ctx.Err()
	}
}

// healthService is the stock health service without Watch: an open Watch would keep every drain waiting to its end.
// Clients fall back on Check; Envoy and Kubernetes use nothing else.
type healthService struct{ *health.Server }

// Watch implements the health service.
func (healthService) Watch(*healthgrpc.HealthCheckRequest, healthgrpc.Health_WatchServer) error {
	return status.Error(codes.Unimplemented, "use Check")
}
