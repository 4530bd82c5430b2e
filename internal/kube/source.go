package kube

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/kube/attach"
	"github.com/postern-auth/postern/internal/source"
)

// Options are what a Source needs.
type Options struct {
	Kubeconfig string     // a file; empty: a Pod's service account, or what kubectl uses
	Namespaces []string   // to watch; empty: all
	GatewayAPI GatewayAPI // empty: Auto
	// Hasher makes the digests of API keys that Secrets hold as text.
	Hasher *keystore.Hasher
	Log    *slog.Logger
	// Report is told when the API server cannot be asked, and nil when it can be asked again.
	Report func(error)
}

// GatewayAPI says whether the kinds of the Gateway API are watched.
type GatewayAPI string

// The settings of GatewayAPI.
const (
	GatewayAPIAuto     GatewayAPI = "Auto"     // those that are installed, now or later
	GatewayAPIEnabled  GatewayAPI = "Enabled"  // all; there is no Snapshot before they are installed
	GatewayAPIDisabled GatewayAPI = "Disabled" // none
)

// Source watches a cluster. It delivers what [source.Files] delivers of a directory.
type Source struct {
	options Options
	log     *slog.Logger
	outages *outages
	cluster cluster
	cache   cache.Cache
	objects *objects
	kick    chan struct{} // there is reason for a snapshot
	running sync.WaitGroup

	generation uint64
	attached   attach.Output

	quiet, patience, retry, rediscover time.Duration
}

// New makes a Source. It does not speak to the cluster yet. The libraries log to options.Log from now on, in the whole
// process.
func New(options Options) (*Source, error) {
	setLogger(options.Log)
	s := &Source{
		options: options, log: options.Log, outages: newOutages(options.Report), kick: make(chan struct{}, 1),
		quiet:      50 * time.Millisecond, // one apply is many events
		patience:   300 * time.Millisecond,
		retry:      time.Second,
		rediscover: time.Minute,
	}
	s.objects = newObjects(s.kinds(), s.wake)
	var err error
	if s.cluster, err = connect(options.Kubeconfig); err != nil {
		return nil, fmt.Errorf("resources.kubernetes: %w", err)
	}
	s.cache, err = s.cluster.newCache(options.Namespaces, s.trim, s.outages)
	if err != nil {
		return nil, fmt.Errorf("resources.kubernetes: %w", err)
	}
	return s, nil
}

// wake says that there is reason for a snapshot.
func (s *Source) wake() {
	select {
	case s.kick <- struct{}{}:
	default: // it is going to be laid out anyway
	}
}

// Run delivers a Snapshot once everything in the cluster has been read, and another whenever something changed that
// decisions depend on, one after the other, until ctx ends. While the API server cannot be asked there are none.
func (s *Source) Run(ctx context.Context, deliver func(source.Snapshot)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer s.running.Wait()
	defer stop(nil)
	s.running.Go(func() {
		if err := s.cache.Start(ctx); err != nil {
			stop(err)
		}
	})
	s.running.Go(func() { s.watchAll(ctx) })
	select {
	case <-ctx.Done():
		return failure(ctx)
	case <-s.objects.complete:
	}

	look := time.NewTimer(0)
	defer look.Stop()
	var latest time.Time // by when to lay out what was reported; zero: nothing was
	for {
		select {
		case <-ctx.Done():
			return failure(ctx)
		case <-s.kick:
			if latest.IsZero() {
				latest = time.Now().Add(s.patience)
			}
			look.Reset(min(s.quiet, time.Until(latest)))
		case <-look.C:
			latest = time.Time{}
			deliver(s.snapshot())
		}
	}
}

// failure returns why ctx was ended by this package, nil if it was not.
func failure(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return cause
	}
	return nil
}

func (s *Source) snapshot() source.Snapshot {
	documents, input := s.objects.layOut()
	if input != nil {
		s.attached = attach.Resolve(*input)
	}
	s.generation++
	return source.Snapshot{Documents: documents, Routes: s.attached.Routes, Generation: s.generation}
}

// Loaded takes in what came of a Snapshot.
func (s *Source) Loaded(r source.Result) {}
