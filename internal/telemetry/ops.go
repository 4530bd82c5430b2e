package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Ops is the operators' listener: /healthz, /readyz, /metrics and, if asked for, /debug/pprof.
type Ops struct{ server *http.Server }

// NewOps makes a server of what t knows. Its own troubles go to log.
func NewOps(t *Telemetry, withPProf bool, log *slog.Logger) *Ops {
	errorLog := slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", t.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorLog:            errorLog,
		MaxRequestsInFlight: 4,
		EnableOpenMetrics:   true,
	}))
	if withPProf {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return &Ops{server: &http.Server{
		Handler:           mux,
		ErrorLog:          errorLog,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      90 * time.Second, // a profile takes 30 s
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}}
}

// Serve answers on the listener until Close, and closes it. It returns nil after Close.
func (o *Ops) Serve(l net.Listener) error {
	if err := o.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close lets answers under way finish until ctx ends, then cuts them off.
func (o *Ops) Close(ctx context.Context) error {
	if err := o.server.Shutdown(ctx); err != nil {
		return errors.Join(err, o.server.Close())
	}
	return nil
}

// readyz answers 200 while Postern is ready and 503 with the reasons while it is not.
func (t *Telemetry) readyz(w http.ResponseWriter, _ *http.Request) {
	state := struct {
		Status   string      `json:"status"`
		Reasons  []Condition `json:"reasons,omitempty"`
		Degraded []Condition `json:"degraded,omitempty"`
	}{"ready", t.Health.Unreadiness(), t.Health.Degradation()}
	code := http.StatusOK
	if len(state.Reasons) > 0 {
		state.Status, code = "not ready", http.StatusServiceUnavailable
	}
	answer(w, code, state)
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client has gone; nobody is left to tell
}
