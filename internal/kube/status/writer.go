package status

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// writer brings statuses in the cluster up to a plan.
type writer struct {
	reader    client.Reader // of the cache
	client    client.Client
	announcer *announcer
	complains *complaints
	counts    *counts

	queue priorityqueue.PriorityQueue[key]
	plan  atomic.Pointer[plan]
}

// counts are the outcomes of writes.
type counts struct{ written, conflicts, failures atomic.Uint64 }

// workers is also how many writes are under way at a time, which is what bounds their rate: an API server that is slow is
// asked more slowly, and one that is busy says when to come again.
const (
	workers    = 2
	patience   = 10 * time.Second // with one write
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Minute
)

// behindChanges is the priority of statuses that are looked at because a leader begins, or from time to time. One that
// changes overtakes them: it has that of everything else, 0.
const behindChanges = -1

func newQueue() priorityqueue.PriorityQueue[key] {
	return priorityqueue.New("statuses", func(o *priorityqueue.Opts[key]) {
		o.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[key](firstRetry, lastRetry)
	})
}

// run writes what is queued until ctx ends.
func (w *writer) run(ctx context.Context) {
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for w.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	w.queue.ShutDown()
	all.Wait()
}

// next writes one status. It reports whether there is more to come.
func (w *writer) next(ctx context.Context) bool {
	k, priority, end := w.queue.GetWithPriority()
	if end {
		return false
	}
	defer w.queue.Done(k)
	if ctx.Err() != nil {
		return true // the queue is emptied, nothing is written
	}
	err := w.write(ctx, k)
	switch {
	case err == nil:
		w.queue.Forget(k)
		return true
	case apierrors.IsConflict(err):
		w.counts.conflicts.Add(1)
	default:
		w.counts.failures.Add(1)
		w.complains.note(ctx, err, "object", k.String())
	}
	w.queue.AddWithOpts(priorityqueue.AddOpts{RateLimited: true, Priority: &priority}, k)
	return true
}

// write brings one status up to the plan, if the cache shows that it is not.
func (w *writer) write(ctx context.Context, k key) error {
	object, ok := newObject(k.kind)
	if !ok {
		return nil
	}
	err := w.reader.Get(ctx, client.ObjectKey{Namespace: k.namespace, Name: k.name}, object)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil // it has gone
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := object.DeepCopyObject().(client.Object)
	if !w.plan.Load().apply(k, object, metav1.Now()) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err = w.client.Status().Patch(ctx, object, patch, client.FieldOwner(fieldOwner))
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		w.complains.note(ctx, nil)
		w.counts.written.Add(1)
		w.announcer.change(before, object)
	}
	return err
}

// apply makes the status of an object say what it should. It reports whether that changed anything.
func (p *plan) apply(k key, o client.Object, now metav1.Time) bool {
	switch o := o.(type) {
	case *gatewayv1.Gateway:
		return setAffected(&o.Status.Conditions, p.affected[k], o.Generation, now)
	case *gatewayv1.HTTPRoute:
		return setParents(&o.Status.RouteStatus, o.Spec.ParentRefs, p.affected[k], o.Generation, now)
	case *gatewayv1.GRPCRoute:
		return setParents(&o.Status.RouteStatus, o.Spec.ParentRefs, p.affected[k], o.Generation, now)
	}
	wanted, ok := p.objects[k]
	if !ok || wanted.uid != o.GetUID() {
		return false // another object of that name has not been loaded yet
	}
	conditions := conditionsOf(o)
	if observesLater(*conditions, wanted.conditions) {
		return false
	}
	changed := mergeConditions(conditions, wanted.conditions, now)
	if policy, ok := o.(*v1alpha1.AuthPolicy); ok {
		changed = mergeAncestors(&policy.Status.Ancestors, wanted.ancestors, now) || changed
	}
	return changed
}

func newObject(kind string) (client.Object, bool) {
	switch kind {
	case v1alpha1.KindAuthScheme:
		return &v1alpha1.AuthScheme{}, true
	case v1alpha1.KindAuthPolicy:
		return &v1alpha1.AuthPolicy{}, true
	case v1alpha1.KindApp:
		return &v1alpha1.App{}, true
	case v1alpha1.KindGateway:
		return &gatewayv1.Gateway{}, true
	case v1alpha1.KindHTTPRoute:
		return &gatewayv1.HTTPRoute{}, true
	case v1alpha1.KindGRPCRoute:
		return &gatewayv1.GRPCRoute{}, true
	default:
		return nil, false
	}
}

// conditionsOf returns the conditions of an AuthScheme, AuthPolicy or App.
func conditionsOf(o client.Object) *[]metav1.Condition {
	switch o := o.(type) {
	case *v1alpha1.AuthScheme:
		return &o.Status.Conditions
	case *v1alpha1.AuthPolicy:
		return &o.Status.Conditions
	case *v1alpha1.App:
		return &o.Status.Conditions
	default:
		return new([]metav1.Condition)
	}
}
