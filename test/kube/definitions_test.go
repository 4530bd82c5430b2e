package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/kube"
)

// TestDefinitionsComeAndGo: with the Gateway API Enabled nothing is delivered before it is installed. Deleting a definition
// deletes its objects, and so they decide no more; all else stays. Once the definition and its objects are there again
// they count, without a restart.
func TestDefinitionsComeAndGo(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := ownCluster(ctx, t)
	must(t, c.InstallDefinitions(ctx))
	must(t, c.Apply(ctx, app("default", "a", "v1")))
	w := watch(t, c, func(o *kube.Options) { o.GatewayAPI = kube.GatewayAPIEnabled })
	missing := w.outage(true).Error()
	if !strings.Contains(missing, "gateway.networking.k8s.io") || !strings.HasSuffix(missing, "; install the custom resource definitions") {
		t.Errorf("the Gateway API is not there, and what is said is: %s", missing)
	}
	if n := len(w.delivered); n > 0 {
		t.Errorf("%d snapshots without the Gateway API", n)
	}
	must(t, c.InstallGatewayAPI(ctx))
	w.await("default", "App/a=v1")
	_ = w.outage(false)

	must(t, c.Apply(ctx, fmt.Sprintf(attachText, "default")+"---"+fmt.Sprintf(targetText, "orders", "default", "HTTPRoute", "orders")))
	w.await("default", "App/a=v1", "AuthPolicy/orders")
	w.attached("default/orders")

	w.kubectl("delete", "customresourcedefinition", "apps.postern.dev")
	_ = w.outage(true)
	w.await("default", "AuthPolicy/orders")
	w.attached("default/orders")
	must(t, c.InstallDefinitions(ctx))
	must(t, c.Apply(ctx, app("default", "a", "v2")))
	w.await("default", "App/a=v2", "AuthPolicy/orders")
	_ = w.outage(false)
}

// TestGatewayAPIDisabled: it is as if the Gateway API were not installed.
func TestGatewayAPIDisabled(t *testing.T) {
	w := watch(t, world.cluster, func(o *kube.Options) { o.GatewayAPI = kube.GatewayAPIDisabled })
	const ns = "gateway-disabled"
	w.kubectl("create", "namespace", ns)
	w.apply(fmt.Sprintf(attachText, ns) + "---" + fmt.Sprintf(targetText, "orders", ns, "HTTPRoute", "orders"))
	w.await(ns, "AuthPolicy/orders")
	w.attached()
	w.kubectl("wait", "authpolicy/orders", "-n", ns, "--for=jsonpath={.status.conditions[?(@.type=='Accepted')].reason}=TargetNotFound", "--timeout=60s")
}

// attached waits until the routes of a snapshot are under these policies.
func (w *watched) attached(want ...string) {
	w.t.Helper()
	for {
		var got []string
		for _, r := range w.last().Routes {
			got = append(got, r.Policy)
		}
		if slices.Equal(got, want) {
			return
		}
		select {
		case snap := <-w.delivered:
			w.seen = append(w.seen, snap)
		case <-w.ctx.Done():
			w.t.Fatalf("routes are under %q, want %q", got, want)
		}
	}
}

const readerText = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: %[1]s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: %[1]s}
rules:
- {apiGroups: [postern.dev], resources: [authschemes, authpolicies, apps], verbs: [get, list, watch]}
%[2]s
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: %[1]s}]
`

// TestForbidden: whoever may not watch Secrets or the Gateway API is told of each of them, and what to do. Nothing is
// delivered until it is done, for what is not seen might be what protects a route.
func TestForbidden(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const ns = "forbidden"
	c := world.cluster
	must(t, c.Apply(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+ns+"}\n---"+fmt.Sprintf(readerText, ns, "")+"---\n"+app(ns, "a", "v1")))
	kubeconfig, err := c.ServiceAccountKubeconfig(ctx, ns, "reader")
	must(t, err)
	w := watch(t, c, func(o *kube.Options) { o.Kubeconfig, o.Namespaces, o.Pod.Namespace = kubeconfig, []string{ns}, ns })
	said := map[string]bool{}
	for _, kind := range []string{"secrets", "gateways", "httproutes", "grpcroutes", "referencegrants", "namespaces"} {
		for !said[kind] {
			text := w.outage(true).Error()
			what, _, _ := strings.Cut(text, " ")
			what, _, _ = strings.Cut(what, ".")
			said[what] = true
			if !strings.Contains(text, "forbidden") || !strings.HasSuffix(text, "; allow it to list and watch them, as the chart's role does") {
				t.Errorf("it is forbidden, and what is said is: %s", text)
			}
		}
	}
	if n := len(w.delivered); n > 0 {
		t.Errorf("%d snapshots of a part of what there is", n)
	}
	must(t, c.Apply(ctx, fmt.Sprintf(readerText, ns, `- {apiGroups: [""], resources: [secrets], verbs: [get, list, watch]}
- {apiGroups: [gateway.networking.k8s.io], resources: [gateways, httproutes, grpcroutes, referencegrants], verbs: [get, list, watch]}`)+`
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [namespaces], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: `+ns+`}]
`))
	w.await(ns, "App/a=v1")
	_ = w.outage(false)
}
