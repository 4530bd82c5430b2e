package status

import (
	"context"
	"encoding/json"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationapply "k8s.io/client-go/applyconfigurations/coordination/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

const (
	labelReplica      = v1alpha1.Group + "/replica"  // on the Lease of each replica; its value is the prefix
	annotationInForce = v1alpha1.Group + "/in-force" // what it has put in force: JSON, kind → resource version

	renewEvery    = 10 * time.Second // a Lease
	renewMost     = time.Second      // not more often than this
	staleAfter    = 3 * renewEvery   // then a replica no longer counts
	forgetAfter   = 10 * staleAfter  // then its Lease is removed
	cleanupTime   = 2 * time.Second  // to remove a Lease at the end
	fieldOwner    = "postern"        // of everything written
	defaultPrefix = "postern"        // of the names of Leases
)

// replica renews the Lease of this replica.
type replica struct {
	leases coordinationclient.LeaseInterface
	prefix string    // of the Leases of all replicas
	name   string    // of the replica
	pod    types.UID // empty: it is no pod that is known
	report func(context.Context) versions
	noted  func(context.Context, error, ...any) // how renewing went
	kick   chan struct{}                        // something else is in force
}

func (r *replica) lease() string { return r.prefix + "-" + r.name }

// leaderLease is the one whose holder writes.
func (r *replica) leaderLease() string { return r.prefix + "-leader" }

// run keeps the Lease, from the first kick until ctx ends.
func (r *replica) run(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-r.kick:
	}
	defer r.remove(context.WithoutCancel(ctx))
	for {
		r.noted(ctx, r.renew(ctx))
		select {
		case <-ctx.Done():
			return
		case <-time.After(renewMost):
		}
		select {
		case <-ctx.Done():
			return
		case <-r.kick:
		case <-time.After(renewEvery - renewMost):
		}
	}
}

// renew says what is in force. It makes the Lease if there is none.
func (r *replica) renew(ctx context.Context) error {
	text, err := json.Marshal(r.report(ctx))
	if err != nil {
		return err
	}
	lease := coordinationapply.Lease(r.lease(), "").
		WithLabels(map[string]string{labelReplica: r.prefix}).
		WithAnnotations(map[string]string{annotationInForce: string(text)}).
		WithSpec(coordinationapply.LeaseSpec().
			WithHolderIdentity(r.name).
			WithLeaseDurationSeconds(int32(staleAfter / time.Second)).
			WithRenewTime(metav1.NowMicro()))
	lease.Namespace = nil // it is the client's
	if r.pod != "" {
		lease.WithOwnerReferences(metaapply.OwnerReference().
			WithAPIVersion("v1").WithKind("Pod").WithName(r.name).WithUID(r.pod))
	}
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	_, err = r.leases.Apply(ctx, lease, metav1.ApplyOptions{FieldManager: fieldOwner, Force: true})
	return err
}

// remove ends the Lease, so that nobody waits for this replica any more.
func (r *replica) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, cleanupTime)
	defer cancel()
	if err := r.leases.Delete(ctx, r.lease(), metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
		r.noted(ctx, err)
	}
}

// inForce reads what the replica of a Lease has put in force. What cannot be read is behind everything.
func inForce(l *coordinationv1.Lease) versions {
	var v versions
	_ = json.Unmarshal([]byte(l.Annotations[annotationInForce]), &v)
	return v
}

// watched is a replica's Lease as it was seen to change. Times are those of this process: clocks differ.
type watched struct {
	renewed time.Time // by the replica's clock
	seen    time.Time // when that was first seen
}

// replicas tells which replicas live.
type replicas map[string]watched

// observe takes in the Leases of all replicas. It returns what each of those that live, other than self, has put in
// force, and the Leases that nobody has renewed for long.
func (r replicas) observe(leases []*coordinationv1.Lease, self string, now time.Time) (live []versions, forgotten []string) {
	there := make(map[string]bool, len(leases))
	for _, l := range leases {
		there[l.Name] = true
		var renewed time.Time
		if l.Spec.RenewTime != nil {
			renewed = l.Spec.RenewTime.Time
		}
		w, known := r[l.Name]
		if !known || !w.renewed.Equal(renewed) {
			w = watched{renewed: renewed, seen: now}
			r[l.Name] = w
		}
		switch age := now.Sub(w.seen); {
		case l.Name == self:
		case age <= staleAfter:
			live = append(live, inForce(l))
		case age > forgetAfter:
			forgotten = append(forgotten, l.Name)
		}
	}
	for name := range r {
		if !there[name] {
			delete(r, name)
		}
	}
	return live, forgotten
}
