// Package server is the only wiring: it makes a running Postern out of its parts.
//
// What outlives a reload is made once: caches, remote key sets, the memory of signatures. What comes from resources is
// made anew by the [loader] at every change: it turns a snapshot of the directory into one Set with its own key index,
// which the policy engine swaps in.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/internal/admin"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/extauthz"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/source"
	"github.com/postern-auth/postern/internal/telemetry"
)

const (
	// unreadyDelay lets whoever balances load see that this replica is leaving before its connections do.
	unreadyDelay = time.Second
	// drainTime bounds how long checks under way may take to finish.
	drainTime = 15 * time.Second
	// closeTime bounds what comes after: the last scrape and the last lines of the decision log.
	closeTime = 2 * time.Second
)

// Options are what a Server needs beside its configuration.
type Options struct {
	Version, Commit string
	Log             io.Writer // of the program
	DecisionLog     io.Writer
}

// Server is a running Postern. Make one with New, then Run it once.
type Server struct {
	cfg    *config.Config
	log    *slog.Logger
	tel    *telemetry.Telemetry
	engine policy.Engine
	parts  *parts
	loader *loader
	source resources
	authz  *extauthz.Server
	admin  *admin.Server // nil: it is not served
	ops    *telemetry.Ops
	ready  atomic.Bool // the first load is in force

	loading struct { // held while a snapshot is put in force
		sync.Mutex

		snap source.Snapshot // the last
	}
	last struct { // what came of the last snapshot
		sync.Mutex

		result source.Result
	}
}

// New makes a Server of a valid configuration. It opens no listener and reads no resource yet.
func New(cfg *config.Config, opts Options) (*Server, error) {
	log, err := telemetry.NewLogger(opts.Log, cfg.Telemetry.LogFormat, cfg.Telemetry.LogLevel)
	if err != nil {
		return nil, err
	}
	parts, err := newParts(cfg, log)
	if err != nil {
		return nil, err
	}
	if err := parts.share(&cfg.Redis, log); err != nil {
		parts.close()
		return nil, err
	}
	s := &Server{cfg: cfg, log: log, parts: parts}
	s.tel = telemetry.New(telemetry.Options{
		Version: opts.Version, Commit: opts.Commit,
		DecisionLog:  opts.DecisionLog,
		Denials:      cfg.Telemetry.DecisionLog.Denials,
		SampleAllows: cfg.Telemetry.DecisionLog.SampleAllows,
	})
	s.ops = telemetry.NewOps(s.tel, cfg.Ops.PProf, log)
	s.parts.register(s.tel)
	if cfg.KeyStore.Database != nil {
		parts.stored, err = newStored(cfg, s.tel, log)
	}
	if err == nil {
		s.loader, err = newLoader(cfg, parts)
	}
	if err == nil {
		s.source, err = newResources(&cfg.Resources, parts.hasher, s.tel, log)
	}
	if err == nil && parts.stored != nil && cfg.Admin.CallersFile != "" {
		s.admin, err = s.newAdmin()
	}
	if err == nil {
		s.authz, err = s.newAuthz()
	}
	if err != nil {
		parts.close()
		return nil, errors.Join(err, s.tel.Close(context.Background()))
	}
	s.tel.RegisterPanics(func() uint64 { return s.authz.Stats().Panics })
	return s, nil
}

func (s *Server) newAuthz() (*extauthz.Server, error) {
	var checker telemetry.Checker = &s.engine
	if s.parts.stored != nil {
		checker = s.parts.stored.usage.Checker(checker)
	}
	server, err := extauthz.New(extauthz.Options{
		Checker:   s.tel.Checker(checker),
		Refused:   s.tel.Refused,
		TLS:       tlsFiles(s.cfg.ExtAuthz.TLS),
		Deadline:  s.cfg.Limits.Deadline,
		BodyLimit: int(s.cfg.Limits.Body),
		Log:       s.log,
	})
	if err != nil {
		return nil, fmt.Errorf("extauthz: %w", err)
	}
	return server, nil
}

// Run serves until ctx ends or a part fails, then drains. Files of resources that are wrong at the start are returned as
// v1alpha1.Errors; later, and always in a cluster, they are logged and counted, and what they break keeps its last good
// version or denies.
func (s *Server) Run(ctx context.Context) error {
	prepareMemory()
	defer s.parts.close()
	listeners, err := s.listen()
	if err != nil {
		return errors.Join(err, s.drain())
	}

	asked := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	start := func(name string, run func() error) {
		running.Go(func() {
			if err := run(); err != nil && ctx.Err() == nil {
				stop(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	start("ops listener", func() error { return s.ops.Serve(listeners.ops) })
	start("ext_authz listener", func() error { return s.authz.Serve(listeners.authz) })
	if s.admin != nil {
		start("admin listener", func() error { return s.admin.Serve(listeners.admin) })
	}
	start("redis", func() error { s.parts.watch(ctx, &s.tel.Health); return nil })
	if s.parts.stored != nil {
		s.parts.stored.start(&s.tel.Health, func() { s.report(nil) })
	}
	start("peppers", func() error { s.parts.peppers.watch(ctx, func() { s.loadAgain(stop) }); return nil })
	start("resources", func() error { return s.source.Run(ctx, func(snap source.Snapshot) { s.load(snap, stop) }) })
	s.log.Info("starting", "extauthz", s.cfg.ExtAuthz.Address, "ops", s.cfg.Ops.Address, "resources", describe(&s.cfg.Resources))

	<-ctx.Done()
	cause := context.Cause(ctx)
	if errors.Is(cause, context.Cause(asked)) {
		cause = nil // nothing failed
	}
	if err := s.drain(); err != nil {
		s.log.Warn("something was cut off", "error", err)
	}
	running.Wait()
	return cause
}

// load puts a new snapshot in force.
func (s *Server) load(snap source.Snapshot, stop context.CancelCauseFunc) {
	s.loading.Lock()
	defer s.loading.Unlock()
	s.loading.snap = snap
	s.putInForce(snap, stop)
}

// loadAgain puts the last snapshot in force again, since something else that it is compiled with has changed.
func (s *Server) loadAgain(stop context.CancelCauseFunc) {
	s.loading.Lock()
	defer s.loading.Unlock()
	if s.loading.snap.Generation > 0 {
		s.putInForce(s.loading.snap, stop)
	}
}

// putInForce compiles a snapshot. The first of a directory must be without error: whoever started the server wrote it. A
// cluster belongs to many, of whom none may keep the others from being served.
func (s *Server) putInForce(snap source.Snapshot, stop context.CancelCauseFunc) {
	defer s.recoverLoad(stop)
	began := time.Now()
	result := s.loader.load(snap)
	if !s.ready.Load() && s.cfg.Resources.Kubernetes == nil && len(result.errors) > 0 {
		stop(result.errors)
		return
	}
	s.tel.Reloaded(result.summary())
	for _, e := range result.fresh {
		s.log.Error("resource", "error", e)
	}
	for _, w := range result.freshWarnings {
		s.log.Warn("resource", "warning", w)
	}
	if result.set == nil {
		s.tel.Health.Degraded("resources", "they cannot be read; what was in force stays")
		return
	}
	s.tel.Health.OK("resources")
	s.tel.SetRules(result.set.Rules())
	if s.parts.stored != nil {
		s.parts.stored.clashes.declare(snap.Documents)
	}
	s.engine.Swap(result.set)
	s.report(&source.Result{Generation: snap.Generation, Errors: result.errors, Files: result.files})
	s.parts.keySets.Retain(result.authenticators...)
	s.log.Info("resources in force", "generation", snap.Generation, "documents", len(snap.Documents),
		"errors", len(result.errors), "took", time.Since(began).String())
	if !s.ready.Load() && s.parts.stored != nil {
		s.parts.stored.awaitFirst()
	}
	if !s.ready.Swap(true) {
		s.tel.Health.Started()
		s.authz.SetReady(true)
		s.log.Info("ready")
	}
	settleMemory()
}

// report tells the source what came of a snapshot, of the last again if there is no new one, and of its Apps that are in
// the database too.
func (s *Server) report(result *source.Result) {
	s.last.Lock()
	defer s.last.Unlock()
	if result != nil {
		s.last.result = *result
	}
	all := s.last.result
	if s.parts.stored != nil {
		all.Errors = slices.Concat(all.Errors, s.parts.stored.clashes.errors())
	}
	s.source.Loaded(all)
}

var errLoadPanicked = errors.New("reading the resources ended in a panic; see the log")

// recoverLoad keeps what is in force when a resource trips a fault of ours: one bad object must not stop the rest.
func (s *Server) recoverLoad(stop context.CancelCauseFunc) {
	p := recover()
	if p == nil {
		return
	}
	s.log.Error("reading the resources ended in a panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	s.tel.Reloaded(telemetry.Reload{Failed: true})
	s.tel.Health.Degraded("resources", "reading them ended in a panic; what was in force stays")
	if !s.ready.Load() {
		stop(errLoadPanicked)
	}
}

// drain stops what serves, in the order that drops nothing.
func (s *Server) drain() error {
	s.tel.Health.Unready("server", "shutting down")
	s.authz.SetReady(false)
	if s.ready.Load() {
		s.log.Info("shutting down")
		time.Sleep(unreadyDelay)
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	err := s.authz.Shutdown(ctx)
	if s.admin != nil { // whoever revokes a key while checks are still answered is heard
		err = errors.Join(err, s.admin.Shutdown(ctx))
	}
	ctx, cancel = context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return errors.Join(err, s.ops.Close(ctx), s.tel.Close(ctx))
}
