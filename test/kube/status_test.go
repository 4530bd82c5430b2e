package kube

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

const policyText = `
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: %s, namespace: %s}
spec:
  hosts: [%s]
  security: [{}]
  rules: [{name: all, match: [{path: {regex: "%s"}}]}]
`

// TestStatus: a policy is accepted, then in error, then mended, and each is said once.
func TestStatus(t *testing.T) {
	s := newStatuses(t, world.cluster, "status")
	s.start("a")
	s.apply(policyText, "orders", s.namespace, "orders.example", "/a.*")
	s.policy("orders",
		"Accepted=True Accepted 1: valid and in use",
		"Programmed=True Programmed 1: every replica decides by generation 1")
	s.announced("orders", "Normal Accepted 1", "Normal Programmed 1")

	s.apply(policyText, "orders", s.namespace, "orders.example", "/(")
	const wrong = "spec.rules[0].match[0].path.regex: "
	o := s.await(&v1alpha1.AuthPolicyList{}, "orders", func(o client.Object) []string {
		p := o.(*v1alpha1.AuthPolicy)
		var list []string
		for _, c := range p.Status.Conditions {
			list = append(list, fmt.Sprintf("%s=%s %s %d", c.Type, c.Status, c.Reason, c.ObservedGeneration))
		}
		return list
	}, "Accepted=False Invalid 2", "Programmed=False NotAccepted 2").(*v1alpha1.AuthPolicy)
	for _, c := range o.Status.Conditions {
		if c.Type == "Accepted" && (!strings.HasPrefix(c.Message, wrong) || !strings.HasSuffix(c.Message, "; generation 1 stays in force")) {
			t.Error(c.Message)
		}
	}
	s.announced("orders", "Normal Accepted 1", "Normal Programmed 1", "Warning Invalid 1")

	s.apply(policyText, "orders", s.namespace, "orders.example", "/b.*")
	s.policy("orders",
		"Accepted=True Accepted 3: valid and in use",
		"Programmed=True Programmed 3: every replica decides by generation 3")
	s.announced("orders", "Normal Accepted 2", "Normal Programmed 2", "Warning Invalid 1")

	s.apply("%s", app(s.namespace, "acme", "v1"))
	s.await(&v1alpha1.AppList{}, "acme", func(o client.Object) []string {
		if meta.IsStatusConditionTrue(o.(*v1alpha1.App).Status.Conditions, v1alpha1.ConditionProgrammed) {
			return []string{"Programmed"}
		}
		return nil
	}, "Programmed")
}

const attachText = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: %[1]s}
spec:
  gatewayClassName: any
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: orders, namespace: %[1]s}
spec:
  parentRefs: [{name: public}]
  hostnames: [orders.example]
  rules: [{matches: [{path: {type: PathPrefix, value: /}}]}]
`

const targetText = `
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: %s, namespace: %s}
spec:
  targetRefs: [{kind: %s, name: %s}]
  security: [{}]
`

// TestStatusOfTargets: of two policies for one route the older is in force, the other is told so; the route and its
// Gateway say which policies hold for them, beside what their controller says, and no longer when the policies have gone.
func TestStatusOfTargets(t *testing.T) {
	s := newStatuses(t, world.cluster, "status-targets")
	s.apply(attachText, s.namespace)
	s.kubectl("patch", "httproute", "orders", "--subresource", "status", "--type", "merge", "--patch",
		`{"status":{"parents":[{"parentRef":{"name":"public"},"controllerName":"example.com/gateway","conditions":`+
			`[{"type":"Accepted","status":"True","reason":"Accepted","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}]}}`)
	s.start("a")
	s.apply(targetText, "a-older", s.namespace, "HTTPRoute", "orders")
	s.policy("a-older",
		"Accepted=True Accepted 1: valid and in use",
		"Programmed=True Programmed 1: every replica decides by generation 1",
		"HTTPRoute/orders: Accepted=True Accepted")
	s.apply(targetText, "b-younger", s.namespace, "HTTPRoute", "orders")
	s.announced("b-younger", "Warning Conflicted 1")
	s.apply(targetText, "whole", s.namespace, "Gateway", "public")
	s.announced("whole", "Normal Accepted 1", "Normal Overridden 1")
	s.apply(targetText, "nowhere", s.namespace, "GRPCRoute", "missing")
	s.announced("nowhere", "Warning TargetNotFound 1")

	route := func(o client.Object) (list []string) {
		for _, p := range o.(*gatewayv1.HTTPRoute).Status.Parents {
			for _, c := range p.Conditions {
				list = append(list, fmt.Sprintf("%s %s=%s %s", p.ControllerName, c.Type, c.Status, c.Message))
			}
		}
		return list
	}
	s.await(&gatewayv1.HTTPRouteList{}, "orders", route, "example.com/gateway Accepted=True ",
		"postern.dev/authz postern.dev/AuthPolicyAffected=True affected by AuthPolicy "+s.namespace+"/a-older")

	s.kubectl("delete", "authpolicy", "a-older")
	s.announced("b-younger", "Normal Accepted 1", "Normal Programmed 1", "Warning Conflicted 1")
	s.await(&gatewayv1.HTTPRouteList{}, "orders", route, "example.com/gateway Accepted=True ",
		"postern.dev/authz postern.dev/AuthPolicyAffected=True affected by AuthPolicy "+s.namespace+"/b-younger")

	s.kubectl("delete", "authpolicy", "b-younger")
	gateway := func(o client.Object) (list []string) {
		for _, c := range o.(*gatewayv1.Gateway).Status.Conditions {
			list = append(list, c.Type+" "+c.Message)
		}
		return list
	}
	s.await(&gatewayv1.GatewayList{}, "public", gateway, "Accepted Waiting for controller", "Programmed Waiting for controller",
		"postern.dev/AuthPolicyAffected affected by AuthPolicy "+s.namespace+"/whole")
	s.kubectl("delete", "authpolicy", "whole")
	s.await(&gatewayv1.GatewayList{}, "public", gateway, "Accepted Waiting for controller", "Programmed Waiting for controller")
	s.await(&gatewayv1.HTTPRouteList{}, "orders", route, "example.com/gateway Accepted=True ")
}

// TestStatusOfReplicas: a generation is Programmed when every replica decides by it; when the leader stops another one
// goes on; and who starts again writes nothing anew.
func TestStatusOfReplicas(t *testing.T) {
	s := newStatuses(t, world.cluster, "status-replicas")
	s.apply(policyText, "orders", s.namespace, "orders.example", "/a.*")
	a := s.start("a")
	s.policy("orders",
		"Accepted=True Accepted 1: valid and in use",
		"Programmed=True Programmed 1: every replica decides by generation 1")
	b := s.start("b")
	s.lease("postern-b")

	b.mu.Lock()
	s.apply(policyText, "orders", s.namespace, "orders.example", "/b.*")
	s.policy("orders",
		"Accepted=True Accepted 2: valid and in use",
		"Programmed=False Pending 2: 1 of 2 replicas decide by generation 2")
	b.mu.Unlock()
	before := s.policy("orders",
		"Accepted=True Accepted 2: valid and in use",
		"Programmed=True Programmed 2: every replica decides by generation 2")
	if !a.source.Stats().Leading || b.source.Stats().Leading {
		t.Error("the first to come does not lead")
	}
	// Events are sent after the fact: who stops at once may take one along.
	s.announced("orders", "Normal Accepted 1", "Normal Programmed 2")

	a.stop()
	s.apply(policyText, "users", s.namespace, "users.example", "/a.*")
	s.policy("users",
		"Accepted=True Accepted 1: valid and in use",
		"Programmed=True Programmed 1: every replica decides by generation 1")
	if !b.source.Stats().Leading {
		t.Error("nobody leads")
	}
	after := &v1alpha1.AuthPolicy{}
	must(t, s.client.Get(s.ctx, client.ObjectKeyFromObject(before), after))
	if after.ResourceVersion != before.GetResourceVersion() {
		t.Errorf("the new leader has written what nobody changed: %+v", after.Status)
	}
	s.announced("users", "Normal Accepted 1", "Normal Programmed 1")

	b.stop()
	c := s.start("c")
	s.apply(policyText, "late", s.namespace, "late.example", "/a.*")
	s.policy("late",
		"Accepted=True Accepted 1: valid and in use",
		"Programmed=True Programmed 1: every replica decides by generation 1")
	c.stop() // what was written is counted afterwards, unless stopping cuts the API server's answer off
	if n := c.source.Stats().Written; n > 1 {
		t.Errorf("%d statuses were written after a restart, want that of the new policy alone", n)
	}
	s.announced("orders", "Normal Accepted 1", "Normal Programmed 2")
	s.announced("users", "Normal Accepted 1", "Normal Programmed 1")
	if out := s.kubectl("get", "lease", "-o", "name"); out != "lease.coordination.k8s.io/postern-leader\n" {
		t.Errorf("replicas that stopped well have left something: %s", out)
	}
}

// TestStatusOfInstallations: each of two installations in one namespace has a leader of its own, who counts its own
// replicas.
func TestStatusOfInstallations(t *testing.T) {
	one := newStatuses(t, world.cluster, "status-one")
	two := newStatuses(t, world.cluster, "status-two")
	two.system, two.prefix = one.namespace, "two"
	one.start("a")
	two.start("b")
	one.lease("postern-a")
	one.lease("two-b")
	for _, s := range []*statuses{one, two} {
		s.apply(policyText, "orders", s.namespace, s.namespace+".example", "/a.*")
		s.policy("orders",
			"Accepted=True Accepted 1: valid and in use",
			"Programmed=True Programmed 1: every replica decides by generation 1")
	}
}

// TestStatusAfterAnOutage: the API server goes and comes back, and statuses are written again; the log has a line or two
// of it.
func TestStatusAfterAnOutage(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := ownCluster(ctx, t)
	must(t, c.InstallDefinitions(ctx))
	must(t, c.InstallGatewayAPI(ctx))
	s := newStatuses(t, c, "outage")
	s.start("a")
	programmed := func(name string) {
		t.Helper()
		s.apply(policyText, name, s.namespace, name+".example", "/a.*")
		s.policy(name,
			"Accepted=True Accepted 1: valid and in use",
			"Programmed=True Programmed 1: every replica decides by generation 1")
	}
	programmed("before")
	c.APIServer.Kill()
	select {
	case <-s.outages:
	case <-ctx.Done():
		t.Fatal("nobody noticed")
	}
	must(t, c.RestartAPIServer(ctx))
	programmed("after")
	if n := strings.Count(s.log.String(), "it will be tried again"); n > 2 {
		t.Errorf("the log has %d complaints:\n%s", n, s.log.String())
	}
}

const permissionsText = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: postern, namespace: %[1]s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: postern, namespace: %[1]s}
rules:
- {apiGroups: [postern.dev], resources: [authschemes, authpolicies, apps], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [secrets], verbs: [get, list, watch]}
- {apiGroups: [gateway.networking.k8s.io], resources: [gateways, httproutes, grpcroutes, referencegrants], verbs: [get, list, watch]}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, update, patch, delete]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}
- {apiGroups: [postern.dev], resources: [authschemes/status, authpolicies/status, apps/status], verbs: [patch]}
- {apiGroups: [gateway.networking.k8s.io], resources: [gateways/status, httproutes/status, grpcroutes/status], verbs: [patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: postern, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: postern}
subjects: [{kind: ServiceAccount, name: postern, namespace: %[1]s}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %[1]s}
rules: [{apiGroups: [""], resources: [namespaces], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
subjects: [{kind: ServiceAccount, name: postern, namespace: %[1]s}]
`

// TestStatusPermissions: what package status says that it needs is enough.
func TestStatusPermissions(t *testing.T) {
	s := newStatuses(t, world.cluster, "status-permissions")
	s.apply(permissionsText, s.namespace)
	var err error
	s.config, err = s.cluster.ServiceAccountKubeconfig(s.ctx, s.namespace, "postern")
	must(t, err)
	s.apply(attachText, s.namespace)
	a := s.start("a")
	s.apply(targetText, "orders", s.namespace, "HTTPRoute", "orders")
	s.announced("orders", "Normal Accepted 1", "Normal Programmed 1")
	affected := func(o client.Object) (list []string) {
		for _, p := range o.(*gatewayv1.HTTPRoute).Status.Parents {
			list = append(list, string(p.ControllerName))
		}
		return list
	}
	s.await(&gatewayv1.HTTPRouteList{}, "orders", affected, v1alpha1.ControllerName)
	a.stop()
	if out := s.kubectl("get", "lease", "-o", "name"); out != "lease.coordination.k8s.io/postern-leader\n" {
		t.Errorf("it leaves Leases behind: %s", out)
	}
	if n := a.source.Stats().Failures; n > 0 || strings.Contains(s.log.String(), "forbidden") {
		t.Errorf("%d writes failed:\n%s", n, s.log.String())
	}
}
