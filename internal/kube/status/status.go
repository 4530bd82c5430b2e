package status

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	eventsclient "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Options are what a Status needs.
type Options struct {
	Config *rest.Config    // of the cluster; how often it may be asked is not taken from it for Leases
	Reader client.Reader   // of the cache that objects are loaded from, with their statuses
	Scheme *runtime.Scheme // knows Postern's kinds and those of the Gateway API

	Namespace string    // of the Leases: the pod's own
	Pod       string    // its name; empty: the replica takes the host's name with something random after it
	PodUID    types.UID // of the pod, which then owns the replica's Lease; may be empty

	// LeasePrefix begins the names of the Leases. Replicas that share it and the namespace elect one leader, who counts them
	// and no others. A DNS label; empty: postern.
	LeasePrefix string

	GatewayAPI bool // Gateways and routes may be in the cache
	Log        *slog.Logger
}

// How often every replica asks for Leases. Statuses are bounded by how many are written at a time, and Events by how many
// are made.
const leasesPerSecond, leasesAtOnce = 5, 10

// Status writes statuses. It is safe for concurrent use.
type Status struct {
	namespace    string
	gatewayAPI   bool
	log          *slog.Logger
	reader       client.Reader
	client       client.Client
	coordination coordinationclient.CoordinationV1Interface
	sink         eventsclient.EventsV1Interface
	scheme       *runtime.Scheme
	events       events.EventRecorder // while it runs
	replica      *replica

	mu      sync.Mutex // of Update
	ledger  atomic.Pointer[ledger]
	loaded  chan struct{} // the leader has a ledger to look at
	leading atomic.Bool
	counts  counts
}

var errNoNamespace = errors.New("statuses: no namespace is known for Leases; set POD_NAMESPACE")

// New makes a Status. It does not speak to the cluster yet.
func New(o Options) (*Status, error) {
	if o.Namespace == "" {
		return nil, errNoNamespace
	}
	s := &Status{
		namespace: o.Namespace, gatewayAPI: o.GatewayAPI, log: o.Log, reader: o.Reader, scheme: o.Scheme, loaded: make(chan struct{}, 1),
	}
	var err error
	if s.client, err = client.New(o.Config, client.Options{Scheme: o.Scheme}); err != nil {
		return nil, fmt.Errorf("statuses: %w", err)
	}
	if s.coordination, err = coordinationclient.NewForConfig(leaseConfig(o.Config)); err != nil {
		return nil, fmt.Errorf("statuses: %w", err)
	}
	if s.sink, err = eventsclient.NewForConfig(o.Config); err != nil {
		return nil, fmt.Errorf("statuses: %w", err)
	}
	renewing := &complaints{log: o.Log, what: "renewing this replica's Lease"}
	s.replica = &replica{
		leases: s.coordination.Leases(o.Namespace), prefix: cmp.Or(o.LeasePrefix, defaultPrefix), name: o.Pod, pod: o.PodUID,
		kick:   make(chan struct{}, 1),
		report: s.inForce, noted: renewing.note,
	}
	if o.Pod == "" {
		s.replica.name, s.replica.pod = randomName(), ""
	}
	return s, nil
}

func leaseConfig(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst, config.RateLimiter = leasesPerSecond, leasesAtOnce, nil
	return config
}

// randomName names a replica that runs outside of a pod.
func randomName() string {
	host, _ := os.Hostname() // without one the rest will do
	host, _, _ = strings.Cut(strings.ToLower(host), ".")
	return strings.TrimLeft(host+"-"+strings.ToLower(rand.Text()[:8]), "-")
}

// Run reports what this replica has put in force and, when it is elected, writes statuses, until ctx ends.
func (s *Status) Run(ctx context.Context) error {
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: s.sink})
	defer broadcaster.Shutdown()
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	s.events = broadcaster.NewRecorder(s.scheme, v1alpha1.ControllerName)
	var reporting sync.WaitGroup
	defer reporting.Wait()
	reporting.Go(func() { s.replica.run(ctx) })
	return s.elect(ctx)
}

// Update takes in what came of a load. It does not wait for the API server.
func (s *Status) Update(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.ledger.Load()
	if before == nil {
		before = &ledger{}
	}
	s.ledger.Store(before.next(state))
	for _, c := range []chan struct{}{s.replica.kick, s.loaded} {
		select {
		case c <- struct{}{}:
		default: // it is going to be looked at anyway
		}
	}
}

// inForce returns what this replica has put in force. A status that was written makes a version of an object by which
// nobody decides: where the cache holds no other generation than those in force, its versions are.
func (s *Status) inForce(ctx context.Context) versions {
	var objects []Object
	for kind, list := range map[string]client.ObjectList{
		v1alpha1.KindAuthScheme: &v1alpha1.AuthSchemeList{},
		v1alpha1.KindAuthPolicy: &v1alpha1.AuthPolicyList{},
		v1alpha1.KindApp:        &v1alpha1.AppList{},
	} {
		if err := s.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return s.ledger.Load().inForce
		}
		_ = meta.EachListItem(list, func(item runtime.Object) error { // it returns what the function does
			o := item.(client.Object)
			objects = append(objects, Object{
				Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(),
				UID: o.GetUID(), Generation: o.GetGeneration(), ResourceVersion: o.GetResourceVersion(),
			})
			return nil
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.ledger.Load().seen(objects)
	s.ledger.Store(now)
	return now.inForce
}

// Stats are figures of this replica. The counts never fall.
type Stats struct {
	Leading                      bool
	Written, Conflicts, Failures uint64 // statuses
}

// Stats returns the figures.
func (s *Status) Stats() Stats {
	return Stats{
		Leading: s.leading.Load(),
		Written: s.counts.written.Load(), Conflicts: s.counts.conflicts.Load(), Failures: s.counts.failures.Load(),
	}
}
