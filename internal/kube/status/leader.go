package status

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// The periods of election are those of the controllers of Kubernetes itself.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second

	lookEvery   = 5 * time.Second // for replicas that stopped
	resyncEvery = time.Minute     // for what others changed
)

// elect stands for election until ctx ends, and leads whenever it is elected. The Lease is given up only when nothing is
// being written any more.
func (s *Status) elect(ctx context.Context) error {
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: s.namespace, Name: s.replica.leaderLease()},
		Client:     s.coordination,
		LockConfig: resourcelock.ResourceLockConfig{Identity: s.replica.name},
	}
	quiet := klog.NewContext(context.WithoutCancel(ctx), klog.Logger{}) // changes of leader are logged here
	var writing sync.Mutex
	for ctx.Err() == nil {
		candidate, resign := context.WithCancel(quiet)
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
			ReleaseOnCancel: true, Name: lock.LeaseMeta.Name,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(term context.Context) {
					writing.Lock()
					defer writing.Unlock()
					s.lead(ctx, term)
				},
				OnStoppedLeading: func() {}, // the term ends
			},
		})
		if err != nil {
			resign()
			return err
		}
		stop := context.AfterFunc(ctx, func() {
			writing.Lock()
			defer writing.Unlock()
			resign()
		})
		elector.Run(candidate)
		stop()
		resign()
	}
	return nil
}

// lead writes statuses while both contexts last.
func (s *Status) lead(ctx, term context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(term, cancel)()
	if ctx.Err() != nil {
		return
	}
	s.log.InfoContext(ctx, "writing statuses: this replica was elected")
	s.leading.Store(true)
	defer s.leading.Store(false)
	l := &leader{
		status: s, replicas: replicas{},
		writer: &writer{
			reader: s.reader, client: s.client, announcer: newAnnouncer(s.events), queue: newQueue(), counts: &s.counts,
			complains: &complaints{log: s.log, what: "writing a status"},
		},
	}
	l.writer.plan.Store(&plan{})
	l.run(ctx)
	if term.Err() != nil {
		s.log.WarnContext(ctx, "writing statuses: this replica is no longer the leader")
	}
}

// leader works out what statuses should say, while this replica is elected.
type leader struct {
	status   *Status
	writer   *writer
	leases   cache.Store
	replicas replicas
	ledger   *ledger
	live     []versions
}

func (l *leader) run(ctx context.Context) {
	changed := make(chan struct{}, 1) // a Lease did
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { l.writer.run(ctx) })
	leases := l.watch(changed)
	running.Go(func() { leases.RunWithContext(klog.NewContext(ctx, klog.Logger{})) })
	if !cache.WaitForCacheSync(ctx.Done(), leases.HasSynced) {
		return
	}
	look, resync := time.NewTicker(lookEvery), time.NewTicker(resyncEvery)
	defer look.Stop()
	defer resync.Stop()
	l.compare(ctx, true)
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.status.loaded:
			l.compare(ctx, false)
		case <-changed:
			l.compare(ctx, false)
		case <-look.C:
			l.compare(ctx, false)
		case <-resync.C:
			l.compare(ctx, true)
		}
	}
}

// watch returns what watches the Leases of all replicas, and tells of those that changed otherwise than in time.
func (l *leader) watch(changed chan<- struct{}) cache.Controller {
	s := l.status
	tell := func() {
		select {
		case changed <- struct{}{}:
		default: // it is going to be looked at anyway
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { tell() },
		DeleteFunc: func(any) { tell() },
		UpdateFunc: func(before, now any) {
			if !reflect.DeepEqual(inForce(before.(*coordinationv1.Lease)), inForce(now.(*coordinationv1.Lease))) {
				tell()
			}
		},
	}
	var informer cache.Controller
	l.leases, informer = cache.NewInformerWithOptions(cache.InformerOptions{
		Logger: &klog.Logger{}, // what cannot be asked is told by who renews this replica's Lease
		ListerWatcher: cache.NewFilteredListWatchFromClient(s.coordination.RESTClient(), "leases", s.namespace,
			func(o *metav1.ListOptions) { o.LabelSelector = labelReplica + "=" + s.replica.prefix }),
		ObjectType: &coordinationv1.Lease{},
		Handler:    handler,
	})
	return informer
}

// compare queues the statuses that should say something else than before, or all of them.
func (l *leader) compare(ctx context.Context, all bool) {
	s := l.status
	now := s.ledger.Load()
	if now == nil {
		return // nothing has been loaded
	}
	var leases []*coordinationv1.Lease
	for _, o := range l.leases.List() {
		leases = append(leases, o.(*coordinationv1.Lease))
	}
	live, forgotten := l.replicas.observe(leases, s.replica.lease(), time.Now())
	for _, name := range forgotten {
		if err := s.replica.leases.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			l.writer.complains.note(ctx, err, "lease", name)
		}
	}
	live = append(live, now.inForce)
	first := l.ledger == nil
	all = all || first
	if !all && now == l.ledger && reflect.DeepEqual(live, l.live) {
		return
	}
	l.ledger, l.live = now, live
	before, next := l.writer.plan.Load(), makePlan(now, live)
	l.writer.plan.Store(next)
	for k, w := range next.objects {
		old, ok := before.objects[k]
		l.queue(k, !first && (!ok || !old.same(&w)), all)
	}
	for k, policies := range next.affected {
		l.queue(k, !first && !slices.Equal(before.affected[k], policies), all)
	}
	for k := range before.affected {
		l.queue(k, next.affected[k] == nil, false)
	}
	if all && s.gatewayAPI {
		l.queueLeftovers(ctx)
	}
	l.writer.announcer.secrets(now.secrets, time.Now())
}

// queue queues a status that changed, or one to be looked at behind all that changed.
func (l *leader) queue(k key, changed, look bool) {
	switch {
	case changed:
		l.writer.queue.Add(k)
	case look:
		l.writer.queue.AddWithOpts(priorityqueue.AddOpts{Priority: new(behindChanges)}, k)
	}
}

// same reports whether two statuses say the same, or the later one says what is not written.
func (w *want) same(o *want) bool {
	equal := func(a, b metav1.Condition) bool { return a == b || stays(&a, &b) }
	return w.uid == o.uid && slices.EqualFunc(w.conditions, o.conditions, equal) && reflect.DeepEqual(w.ancestors, o.ancestors)
}

// queueLeftovers queues every target that says it is affected: an earlier leader may have written that.
func (l *leader) queueLeftovers(ctx context.Context) {
	var (
		gateways gatewayv1.GatewayList
		http     gatewayv1.HTTPRouteList
		grpc     gatewayv1.GRPCRouteList
	)
	for _, list := range []client.ObjectList{&gateways, &http, &grpc} {
		_ = l.status.reader.List(ctx, list, client.UnsafeDisableDeepCopy) // a kind that is not installed has none
	}
	add := func(kind string, o client.Object, conditions []metav1.Condition, parents []gatewayv1.RouteParentStatus) {
		if isAffected(conditions, parents) {
			l.queue(key{kind, o.GetNamespace(), o.GetName()}, false, true)
		}
	}
	for i := range gateways.Items {
		add(v1alpha1.KindGateway, &gateways.Items[i], gateways.Items[i].Status.Conditions, nil)
	}
	for i := range http.Items {
		add(v1alpha1.KindHTTPRoute, &http.Items[i], nil, http.Items[i].Status.Parents)
	}
	for i := range grpc.Items {
		add(v1alpha1.KindGRPCRoute, &grpc.Items[i], nil, grpc.Items[i].Status.Parents)
	}
}
