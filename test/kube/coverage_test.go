package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/test/harness"
)

const coverageObjects = `
apiVersion: v1
kind: Namespace
metadata: {name: coverage}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: coverage}
spec:
  gatewayClassName: any
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: orders, namespace: coverage}
spec:
  parentRefs: [{name: web}]
  hostnames: [orders.example.com]
  rules:
  - {name: read, matches: [{path: {value: /orders}, method: GET}]}
  - {name: write, matches: [{path: {value: /orders}}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: stock, namespace: coverage}
spec:
  parentRefs: [{name: web}]
  hostnames: [stock.example.com]
  rules: [{matches: [{method: {service: shop.Stock}}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: to-https, namespace: coverage}
spec:
  parentRefs: [{name: web}]
  rules: [{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}]
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: read, namespace: coverage}
spec: {targetRefs: [{kind: HTTPRoute, name: orders, sectionName: read}], security: [{}]}
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: stock, namespace: coverage}
spec: {hosts: [stock.example.com], security: [{}]}
`

const coverageDefault = `
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: default, namespace: coverage}
spec: {targetRefs: [{kind: Gateway, name: web}], security: [{}]}
`

// TestCoverage: `postern check --coverage` reads a cluster once, and its exit code says whether a route is uncovered. What
// only redirects need not be covered.
func TestCoverage(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := world.cluster
	root, err := harness.Root()
	must(t, err)
	bin, err := harness.Build(ctx, root, t.TempDir())
	must(t, err)
	config := filepath.Join(t.TempDir(), "postern.yaml")
	must(t, os.WriteFile(config, []byte("resources: {kubernetes: {namespaces: [coverage]}}\n"), 0o600))
	check := func(kubeconfig string, want int, more ...string) (out, errOut string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, bin, append([]string{"check", "--coverage", "-c", config, "--kubeconfig", kubeconfig}, more...)...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		got, err := 0, cmd.Run()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			got = exit.ExitCode()
		} else {
			must(t, err)
		}
		if got != want {
			t.Fatalf("exit code %d, want %d\n%s%s", got, want, &stdout, &stderr)
		}
		return stdout.String(), stderr.String()
	}

	must(t, c.Apply(ctx, coverageObjects))
	out, errOut := check(c.Kubeconfig, 1)
	if diff := cmp.Diff(`
KIND       ROUTE            HOSTS               RULES   POLICY          COVER
GRPCRoute  coverage/stock   stock.example.com   1 of 1  coverage/stock  host
HTTPRoute  coverage/orders  orders.example.com  1 of 2  coverage/read   attached
HTTPRoute  coverage/orders  orders.example.com  1 of 2  -               uncovered
`[1:], out); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if errOut != "2 routes, 1 uncovered\n" {
		t.Errorf("standard error: %s", errOut)
	}

	must(t, c.Apply(ctx, coverageDefault))
	out, _ = check(c.Kubeconfig, 0, "-o", "json")
	var report struct {
		Routes           []map[string]any
		Total, Uncovered int
	}
	must(t, json.Unmarshal([]byte(out), &report))
	var got []string
	for _, r := range report.Routes {
		got = append(got, fmt.Sprintf("%v %v %v %v", r["name"], r["rules"], r["policies"], r["cover"]))
	}
	want := []string{
		"stock [0] [coverage/default] attached", "orders [0] [coverage/read] attached", "orders [1] [coverage/default] attached",
		"to-https [0] [coverage/default] attached",
	}
	if diff := cmp.Diff(want, got); diff != "" || report.Total != 3 || report.Uncovered != 0 {
		t.Errorf("%d of %d uncovered; -want +got:\n%s", report.Uncovered, report.Total, diff)
	}

	cmd := exec.CommandContext(ctx, bin, "check", "-c", config, "--kubeconfig", c.Kubeconfig,
		"--route", "HTTPRoute/coverage/orders/read", "https://orders.example.com/orders/1")
	decided, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(decided), "coverage/read") {
		t.Errorf("a request through a route: %v\n%s", err, decided)
	}

	// Whoever may not read is told so, at once.
	_, err = c.Kubectl(ctx, "create", "serviceaccount", "reader", "-n", "coverage")
	must(t, err)
	stranger, err := c.ServiceAccountKubeconfig(ctx, "coverage", "reader")
	must(t, err)
	if _, errOut := check(stranger, 1); !strings.Contains(errOut, "forbidden") {
		t.Errorf("standard error: %s", errOut)
	}
}
