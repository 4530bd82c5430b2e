package installed

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestTenThousandPolicies: a replica that starts among 10,000 policies, each on a route of its own, becomes ready, and
// a change of one of them counts at once, and so does its status, although those of all are being written. Speed is
// logged (-v), not asserted.
func TestTenThousandPolicies(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	const policies = 10000
	in := own(ctx, t)
	const ns = "giant"
	k := key(ctx, t)
	in.apply(ctx, t, shop, "ns", ns, "digest", k.Digest)
	in.apply(ctx, t, gateway, "ns", ns, "gw", ns)
	began := time.Now()
	in.createPolicies(ctx, t, ns, policies)
	t.Logf("%d policies and routes created in %s", policies, time.Since(began).Round(time.Millisecond))

	began = time.Now()
	r := in.serve(ctx, t, "one")
	t.Logf("ready %s after its start, with %s", time.Since(began).Round(time.Millisecond), residentMemory(t, r.PID()))
	r.expect(ctx, t, "the first policy", 200, get(host(0), "/", k.Key))
	r.expect(ctx, t, "the last policy", 200, get(host(policies-1), "/", k.Key))
	r.expect(ctx, t, "the last policy without a key", 401, get(host(policies-1), "/", ""))

	for i := range 3 {
		p := policy(ns, name(i))
		if err := in.client.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil {
			t.Fatal(err)
		}
		p.Spec.Security = []v1alpha1.SecurityRequirement{{}}
		if err := in.client.Update(ctx, p); err != nil {
			t.Fatal(err)
		}
		r.await(ctx, t, "one changed policy is in force", 200, get(host(i), "/", ""))
		began = time.Now()
		in.awaitCondition(ctx, t, p, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, "Programmed")
		t.Logf("and says so after %s, with %s statuses written", time.Since(began).Round(time.Millisecond),
			r.metric(ctx, t, `postern_status_writes_total{result="success"}`))
	}
	if err := in.client.Delete(ctx, policy(ns, name(5))); err != nil {
		t.Fatal(err)
	}
	r.await(ctx, t, "one deleted policy is gone", 403, get(host(5), "/", k.Key))
}

func name(i int) string { return fmt.Sprintf("p%05d", i) }
func host(i int) string { return name(i) + ".example.com" }

// createPolicies makes n policies, each on a route of its own for a host of its own, with several clients at a time.
func (in *installation) createPolicies(ctx context.Context, t *testing.T, ns string, n int) {
	t.Helper()
	const clients = 16
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for i := c; i < n; i += clients {
				route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name(i)}}
				route.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "public"}}
				route.Spec.Hostnames = []gatewayv1.Hostname{gatewayv1.Hostname(host(i))}
				p := policy(ns, name(i))
				p.Spec.TargetRefs = []v1alpha1.TargetReference{{Kind: v1alpha1.KindHTTPRoute, Name: name(i)}}
				p.Spec.Security = []v1alpha1.SecurityRequirement{{"key": {}}}
				for _, o := range []client.Object{route, p} {
					if err := in.client.Create(ctx, o); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// residentMemory returns VmRSS of a process as the kernel writes it.
func residentMemory(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatal("/proc shows no VmRSS")
	return ""
}
