package chart

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/postern-auth/postern/internal/config"
)

// TestLint: helm finds no fault, not even one to warn of.
func TestLint(t *testing.T) {
	each(t, "values", func(ctx context.Context, t *testing.T, values string) {
		if out, err := world.cluster.Helm(ctx, "lint", "--strict", world.chart, "--values", values); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// TestAccepted: the API server would take every object, with unknown fields refused and all definitions known. A check
// against schemas alone (kubeconform) would have them from the same API server, and know neither defaults nor CEL.
func TestAccepted(t *testing.T) {
	each(t, "values", func(ctx context.Context, t *testing.T, values string) {
		path := filepath.Join(t.TempDir(), "manifest.yaml")
		if err := os.WriteFile(path, []byte(template(ctx, t, values)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := world.cluster.Kubectl(ctx, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", path)
		if err != nil {
			t.Fatal(err)
		}
		if accepted := strings.Count(out, "serverside-applied"); accepted == 0 || accepted != strings.Count(out, "\n") {
			t.Errorf("not all is accepted:\n%s", out)
		}
	})
}

// TestPodSecurity: a namespace that enforces the restricted Pod Security Standard takes the Pods.
func TestPodSecurity(t *testing.T) {
	each(t, "values", func(ctx context.Context, t *testing.T, values string) {
		pod := podOf(t, template(ctx, t, values, "--show-only", "templates/deployment.yaml"))
		path := filepath.Join(t.TempDir(), "pod.json")
		text, err := pod.MarshalJSON()
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := world.cluster.Kubectl(ctx, "create", "--dry-run=server", "--namespace", namespace, "-f", path); err != nil {
			t.Error(err)
		}
	})
}

// podOf returns the Pod that a manifest's Deployment would make.
func podOf(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range objects(t, manifest) {
		template, found, err := unstructured.NestedMap(o.Object, "spec", "template")
		if err != nil || !found {
			continue
		}
		pod := &unstructured.Unstructured{Object: template}
		pod.SetAPIVersion("v1")
		pod.SetKind("Pod")
		pod.SetName("postern")
		unstructured.RemoveNestedField(pod.Object, "spec", "priorityClassName") // its number is the scheduler's business
		return pod
	}
	t.Fatal("no Deployment is rendered")
	return nil
}

// configOf returns the configuration in the ConfigMap that the chart renders, as the server reads it.
func configOf(ctx context.Context, t *testing.T, values string) *config.Config {
	t.Helper()
	out := template(ctx, t, values, "--show-only", "templates/configmap.yaml")
	text, _, err := unstructured.NestedString(objects(t, out)[0].Object, "data", "postern.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "postern.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err == nil {
		err = cfg.ValidateValues() // the files it names are the Pod's
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return cfg
}

// TestConfig: the server takes the configuration, and the resources are the cluster's.
func TestConfig(t *testing.T) {
	each(t, "values", func(ctx context.Context, t *testing.T, values string) {
		if configOf(ctx, t, values).Resources.Kubernetes == nil {
			t.Error("the resources do not come from the cluster")
		}
	})
}

// TestConfigMeans: values arrive where they belong, and those that nobody has set leave the server's own defaults.
func TestConfigMeans(t *testing.T) {
	listeners := func(c *config.Config) {
		c.ExtAuthz.Address, c.Ops.Address = ":9001", ":9003"
		c.Resources.Kubernetes = &config.Kubernetes{GatewayAPI: config.GatewayAPIAuto, LeasePrefix: "postern"}
	}
	for values, change := range map[string]func(*config.Config){
		"default.yaml": listeners,
		"bare.yaml": func(c *config.Config) {
			listeners(c)
			c.Resources.Kubernetes.LeasePrefix = "gate" // the name of its objects
		},
		"namespaces.yaml": func(c *config.Config) {
			listeners(c)
			c.Resources.Kubernetes.Namespaces = []string{"shop", "billing"}
			c.Resources.Kubernetes.GatewayAPI = config.GatewayAPIDisabled
			c.Resources.SharedNamespace = "shared"
			c.HostGrants = []config.HostGrant{
				{Namespace: "shop", Hosts: []string{"shop.example.com", "*.shop.example.com"}},
				{Namespace: "billing", Hosts: []string{"billing.example.com"}},
			}
			c.Cache.Tokens, c.Cache.Replay = 0, config.GiB
			c.Limits = config.Limits{Deadline: 80 * time.Millisecond, Token: 4 * config.KiB, Body: 512 * config.KiB}
			c.Telemetry = config.Telemetry{LogLevel: "debug", LogFormat: "text", DecisionLog: config.DecisionLog{SampleAllows: 1}}
			c.Ops.PProf = true
		},
		"production.yaml": func(c *config.Config) {
			listeners(c)
			c.ExtAuthz.TLS = config.TLS{
				CertFile: "/etc/postern/tls/tls.crt", KeyFile: "/etc/postern/tls/tls.key", ClientCAFile: "/etc/postern/client-ca/bundle.pem",
			}
			c.KeyStore = config.KeyStore{
				PepperFile: "/etc/postern/pepper/pepper", SecretsFile: "/etc/postern/secrets/secrets.json",
				Database: &config.Database{Postgres: &config.Postgres{
					DSNFile: "/etc/postern/database/uri", MaxConnections: 32, ConnectTimeout: time.Second,
				}},
			}
			c.Admin = config.Admin{
				Address: ":9002", CallersFile: "/etc/postern/callers/callers.yaml",
				TLS: config.TLS{
					CertFile: "/etc/postern/admin-tls/tls.crt", KeyFile: "/etc/postern/admin-tls/tls.key", ClientCAFile: "/etc/postern/admin-ca/ca.crt",
				},
			}
			c.Usage.FlushInterval = time.Minute
			c.Cache.Keys, c.Cache.UnknownKeys = 64*config.MiB, 8*config.MiB
			c.Redis = config.Redis{
				Address: "redis.redis.svc:6379", Username: "postern", PasswordFile: "/etc/postern/redis/password",
				Timeout: 50 * time.Millisecond, Durable: true,
				TLS: config.RedisTLS{
					CAFile: "/etc/postern/redis-tls/ca.crt", CertFile: "/etc/postern/redis-tls/tls.crt",
					KeyFile: "/etc/postern/redis-tls/tls.key", ServerName: "redis",
				},
			}
		},
	} {
		want := config.Default()
		change(want)
		got := configOf(t.Context(), t, filepath.Join("testdata", "values", values))
		got.Resources.Dir = want.Resources.Dir // which does not count beside a cluster
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Config{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", values, diff)
		}
	}
}

// TestRefused: wrong values are refused, and the reason names the value.
func TestRefused(t *testing.T) {
	each(t, "refused", func(ctx context.Context, t *testing.T, values string) {
		text, err := os.ReadFile(values)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		want := strings.TrimPrefix(first, "# ")
		out, err := world.cluster.Helm(ctx, "template", "postern", world.chart, "--namespace", namespace, "--values", values)
		if err == nil {
			t.Fatalf("rendered\n%s", out)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("\n got %v\nwant %s", err, want)
		}
	})
}
