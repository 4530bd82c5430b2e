//go:build linux

package mesh

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// posternHost is Postern's Service as clients and certificates know it.
	posternHost = "postern.postern-system.svc.cluster.local"

	ofGateway = `[{"namespace": "shop", "matchLabels": {"gateway.networking.k8s.io/gateway-name": "shop"}}]`
)

// tryIstioChart has the chart's objects ask instead of the examples.
func (c caller) tryIstioChart(t *testing.T, ctx context.Context) {
	values := []string{"istio.enabled=true", "istio.workloads=" + ofGateway}
	t.Run("ExtensionProvider", func(t *testing.T) {
		withdraw := c.applyChart(t, ctx, "istio.yaml", nil, values...)
		c.tryAll(t, exchanges())
		withdraw()
	})
	t.Run("EnvoyFilter", func(t *testing.T) {
		withdraw := c.applyChart(t, ctx, "istio.yaml", nil, append(values, `istio.mode="EnvoyFilter"`, "istio.maxRequestBytes=1048576")...)
		c.tryAll(t, exchanges())
		c.tryAll(t, c.webhooks(true))
		withdraw()
	})
}

// tryGatewayChart has the chart's objects ask instead of the examples, in plain text and by mutual TLS.
func (c caller) tryGatewayChart(t *testing.T, ctx context.Context) {
	values := []string{
		"envoyGateway.enabled=true", "envoyGateway.maxRequestBytes=1048576",
		`envoyGateway.targets=[{"namespace": "shop", "kind": "Gateway", "name": "shop"}]`,
	}
	t.Run("Service", func(t *testing.T) {
		withdraw := c.applyChart(t, ctx, "envoygateway.yaml", nil, values...)
		c.tryAll(t, exchanges())
		c.tryAll(t, c.webhooks(true))
		withdraw()
	})
	t.Run("Backend with mutual TLS", func(t *testing.T) {
		const host, port = "192.0.2.11", 9001
		ca := newAuthority(t)
		ca.issue(t, "postern", &x509.Certificate{DNSNames: []string{posternHost}})
		ca.issue(t, "envoy", &x509.Certificate{})
		c.startPostern(t, ctx, fmt.Sprintf("extauthz: {address: '%s:%d', tls: {certFile: %q, keyFile: %q, clientCAFile: %q}}\n",
			host, port, ca.file("postern.crt"), ca.file("postern.key"), ca.file("ca.crt")), "127.0.0.1:9004")
		for _, args := range [][]string{
			{"create", "configmap", "postern-ca", "--from-file", ca.file("ca.crt")},
			{"create", "secret", "tls", "postern-envoy", "--cert", ca.file("envoy.crt"), "--key", ca.file("envoy.key")},
		} {
			if _, err := c.Kubectl(ctx, append(args, "--namespace", "postern-system")...); err != nil {
				t.Fatal(err)
			}
		}
		resolved := strings.NewReplacer( // what the cluster's DNS would say
			fmt.Sprintf("fqdn: {hostname: %s, port: %d}", posternHost, port), fmt.Sprintf("ip: {address: %s, port: %d}", host, port))
		withdraw := c.applyChart(t, ctx, "envoygateway.yaml", resolved, append(values,
			"tls.enabled=true", `tls.existingSecret="postern-tls"`, "tls.clientCA.enabled=true",
			`envoyGateway.caCertificateRef={"kind": "ConfigMap", "name": "postern-ca"}`,
			`envoyGateway.clientCertificateName="postern-envoy"`)...)
		c.tryAll(t, exchanges())
		withdraw()
	})
}

// applyChart applies what a template of the chart makes of values, which are of helm's --set-json, and waits until Postern
// is asked; withdraw takes it away again. Nobody asks Postern before, nor after.
func (c caller) applyChart(t *testing.T, ctx context.Context, template string, edit *strings.Replacer, values ...string) (withdraw func()) {
	t.Helper()
	args := []string{
		"template", "postern", filepath.Join(programs.root, "helm", "postern"), "--namespace", "postern-system",
		"--show-only", "templates/" + template,
	}
	for _, v := range values {
		args = append(args, "--set-json", v)
	}
	manifest, err := c.Helm(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		manifest = edit.Replace(manifest)
	}
	file := filepath.Join(t.TempDir(), template)
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	c.applyFiles(t, ctx, file)
	c.awaitStatus(t, ctx, "Postern is asked", request("GET", "/orders/1", "shop.example.com"), 401)
	return func() { c.withdraw(t, ctx, file) }
}

// withdraw deletes what lets Postern be asked, and waits until it is not.
func (c caller) withdraw(t *testing.T, ctx context.Context, files ...string) {
	t.Helper()
	args := []string{"delete"}
	for _, f := range files {
		args = append(args, "--filename", f)
	}
	if _, err := c.Kubectl(ctx, args...); err != nil {
		t.Fatal(err)
	}
	c.awaitStatus(t, ctx, "Postern is not asked any more", request("GET", "/orders/1", "shop.example.com"), 200)
}
