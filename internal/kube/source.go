package kube

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/kube/attach"
	"github.com/postern-auth/postern/internal/kube/status"
	"github.com/postern-auth/postern/internal/source"
)

// Options are what a Source needs.
type Options struct {
	Kubeconfig string     // a file; empty: a Pod's service account, or what kubectl uses
	Namespaces []string   // to watch; empty: all
	GatewayAPI GatewayAPI // empty: Auto
	Pod        Pod
	// LeasePrefix is what replicas of one installation have in common; empty: postern.
	LeasePrefix string
	// Hasher makes the digests of API keys that Secrets hold as text.
	Hasher *keystore.Hasher
	Log    *slog.Logger
	// Report is told when the API server cannot be asked, and nil when it can be asked again.
	Report func(error)
}

// Pod is the Pod that this process is. Outside of one the name and the UID are empty.
type Pod struct {
	Namespace string // also that of the Leases
	Name      string
	UID       types.UID
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
	status  *status.Status
	kick    chan struct{} // there is reason for a snapshot
	running sync.WaitGroup

	mu   sync.Mutex
	last delivered

	quiet, patience, retry, rediscover, rediscoverSoon time.Duration
}

// delivered is what the last Snapshot was made of.
type delivered struct {
	generation uint64
	objects    []status.Object
	attached   attach.Output
}

// New makes a Source. It does not speak to the cluster yet. The libraries log to options.Log from now on, in the whole
// process, unless there was a Source before.
func New(options Options) (*Source, error) {
	setLogger(options.Log)
	s := &Source{
		options: options, log: options.Log, outages: newOutages(options.Report), kick: make(chan struct{}, 1),
		quiet:    50 * time.Millisecond, // one apply is many events
		patience: 300 * time.Millisecond,
		retry:    time.Second,

		rediscover:     time.Minute,
		rediscoverSoon: 5 * time.Second, // while it is not a minute ago that watching began
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
	s.status, err = status.New(status.Options{
		Config: s.cluster.config, Reader: s.cache, Scheme: s.cluster.scheme,
		Namespace: options.Pod.Namespace, Pod: options.Pod.Name, PodUID: options.Pod.UID,
		LeasePrefix: options.LeasePrefix,
		GatewayAPI:  options.GatewayAPI != GatewayAPIDisabled, Log: options.Log,
	})
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
	ctx, stop := context.WithCancel(ctx)
	defer s.end(stop)
	ended := s.begin(ctx)
	select {
	case err := <-ended:
		return err
	case <-s.objects.complete:
	}
	s.running.Go(func() {
		if err := s.status.Run(ctx); err != nil {
			s.log.ErrorContext(ctx, "statuses are not written", "error", err)
		}
	})

	look := time.NewTimer(s.quiet) // what has been told so far has kicked already
	defer look.Stop()
	var latest time.Time // by when to lay out what was reported; zero: nothing was
	for {
		select {
		case err := <-ended:
			return err
		case <-s.kick:
			if latest.IsZero() {
				latest = time.Now().Add(s.patience)
			}
			look.Reset(min(s.quiet, time.Until(latest)))
		case <-look.C:
			latest = time.Time{}
			if snap, ok := s.snapshot(); ok {
				deliver(snap)
			}
		}
	}
}

// begin watches everything until ctx ends, and tells then what the cache says to that.
func (s *Source) begin(ctx context.Context) (ended <-chan error) {
	end := make(chan error, 1)
	s.running.Go(func() { end <- s.cache.Start(ctx) })
	s.running.Go(func() { s.watchAll(ctx) })
	return end
}

// end stops what begin began.
func (s *Source) end(stop func()) {
	stop()
	s.running.Wait()
	utilnet.CloseIdleConnectionsFor(s.cluster.http.Transport)
}

// snapshot lays out a Snapshot, unless it would say what the last one says.
func (s *Source) snapshot() (source.Snapshot, bool) {
	l := s.objects.layOut()
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := l.changed || s.last.generation == 0
	if l.input != nil {
		attached := attach.Resolve(*l.input)
		changed = changed || !reflect.DeepEqual(attached, s.last.attached)
		s.last.attached = attached
	}
	if !changed {
		return source.Snapshot{}, false
	}
	s.last.generation++
	s.last.objects = l.objects
	return source.Snapshot{
		Documents: l.documents, Routes: s.last.attached.Routes, RoutesWatched: s.options.GatewayAPI != GatewayAPIDisabled,
		Generation: s.last.generation,
	}, true
}

// Loaded takes in what came of a Snapshot, for the statuses of its objects.
func (s *Source) Loaded(r source.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Generation == s.last.generation {
		s.status.Update(status.State{Objects: s.last.objects, Errors: r.Errors, Attach: s.last.attached})
	}
}

// Stats returns the figures of writing statuses.
func (s *Source) Stats() status.Stats { return s.status.Stats() }
