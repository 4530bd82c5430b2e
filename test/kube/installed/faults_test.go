package installed

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/test/harness"
)

// TestAPIServerRestart: while the API server is away the last good policies decide, and afterwards changes count again.
// No answer is wrong at any time, neither of a replica that was there before nor of one that starts meanwhile.
func TestAPIServerRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in := own(ctx, t)
	r := in.serve(ctx, t, "one")
	const ns, host = "outage", "outage.example.com"
	k := key(ctx, t)
	in.apply(ctx, t, shop, "ns", ns, "digest", k.Digest)
	r.await(ctx, t, "all is well", 200, get(host, "/", k.Key))
	load := startTraffic(ctx, []*replica{r}, map[int]harness.Request{
		200: get(host, "/", k.Key), 401: get(host, "/", key(ctx, t).Key), 403: get("other.example.com", "/", k.Key),
	})
	load.more(ctx, t, 1000)

	in.APIServer.Kill()
	load.more(ctx, t, 1000)
	r.awaitDegraded(ctx, t, true)
	if !harness.OK(ctx, r.ops+"/readyz") {
		t.Error("it is not ready any more")
	}
	late, err := in.start("two")
	if err != nil {
		t.Fatal(err)
	}
	defer late.stop()
	alive := func() bool { return harness.OK(ctx, late.ops+"/healthz") }
	if err := harness.Await(ctx, "the second replica lives", alive); err != nil {
		t.Fatalf("%v\n%s", err, late.Tail())
	}
	if harness.OK(ctx, late.ops+"/readyz") {
		t.Error("a replica is ready without having seen a policy")
	}
	load.more(ctx, t, 1000)

	back := time.Now()
	if err := in.RestartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("the API server is ready after %s", time.Since(back).Round(time.Millisecond))
	r.awaitDegraded(ctx, t, false)
	in.apply(ctx, t, open, "ns", ns)
	r.await(ctx, t, "a change counts after the restart", 200, get(host, "/public", ""))
	if err := late.awaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	late.await(ctx, t, "the second replica decides", 200, get(host, "/public", ""))
	load.stop(t)
	in.awaitCondition(ctx, t, policy(ns, "orders"), v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed")
}

// TestLeaderChange: the replica that writes statuses stands still, without a word. The other goes on deciding as if nothing
// had happened, and writes once the lease has run out. When the first goes on it is only one more that decides.
func TestLeaderChange(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in := own(ctx, t)
	replicas := map[string]*replica{"one": in.serve(ctx, t, "one"), "two": in.serve(ctx, t, "two")}
	leader, other := in.awaitLeases(ctx, t, 2), "one"
	if leader == other {
		other = "two"
	}
	const ns, host = "lead", "lead.example.com"
	k := key(ctx, t)
	in.apply(ctx, t, shop, "ns", ns, "digest", k.Digest)
	for _, r := range replicas {
		r.await(ctx, t, r.name+" decides", 200, get(host, "/", k.Key))
	}
	p := policy(ns, "orders")
	in.awaitCondition(ctx, t, p, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed")
	load := startTraffic(ctx, []*replica{replicas[other]}, map[int]harness.Request{
		200: get(host, "/", k.Key), 401: get(host, "/", key(ctx, t).Key),
	})
	load.more(ctx, t, 100)
	if err := replicas[leader].Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	in.apply(ctx, t, open, "ns", ns)
	replicas[other].await(ctx, t, "a change counts without a leader", 200, get(host, "/public", ""))
	message := in.awaitCondition(ctx, t, p, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, "Pending")
	t.Logf("the other has written after %s: %s", time.Since(began).Round(time.Millisecond), message)
	if !strings.Contains(message, "1 of 2") {
		t.Errorf("one of two replicas stands still, and Programmed says %q", message)
	}
	if err := replicas[leader].Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	replicas[leader].await(ctx, t, "the change counts where nothing went on", 200, get(host, "/public", ""))
	in.awaitCondition(ctx, t, p, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed")
	load.stop(t)
	if got := in.awaitLeases(ctx, t, 2); got != other {
		t.Errorf("%s leads, want %s", got, other)
	}
	const lost = "this replica is no longer the leader"
	if err := harness.Await(ctx, "the first knows that it does not lead", func() bool { return replicas[leader].logged(lost) != "" }); err != nil {
		t.Error(err)
	}
}

// awaitLeases waits until as many replicas have a Lease and one leads, and returns its name.
func (in *installation) awaitLeases(ctx context.Context, t *testing.T, want int) (leader string) {
	t.Helper()
	replicas := 0
	err := harness.Await(ctx, "replicas have Leases", func() bool {
		var leases coordinationv1.LeaseList
		if in.client.List(ctx, &leases, client.InNamespace(system)) != nil {
			return false
		}
		leader, replicas = "", 0
		for _, l := range leases.Items {
			if _, ok := l.Labels["postern.dev/replica"]; ok {
				replicas++
			} else if l.Spec.HolderIdentity != nil {
				leader = *l.Spec.HolderIdentity
			}
		}
		return leader != "" && replicas == want
	})
	if err != nil {
		t.Fatalf("%v: %d have, want %d; %q leads", err, replicas, want, leader)
	}
	return leader
}
