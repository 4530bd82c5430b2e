package harness

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Cluster is a Kubernetes API server and its etcd: authentication, RBAC, custom resources, admission, watches and
// service account tokens are real. There is no kubelet, and no controller until StartControllers: no pod runs, and an
// object that has gone is not cleaned up after.
type Cluster struct {
	Kubeconfig string   // path of a kubeconfig for the administrator (system:masters)
	APIServer  *Process // tests may kill it; RestartAPIServer brings it back

	dir   string
	tools kubeTools
	token string
	ports clusterPorts
	rest  []*Process // etcd first, then the controllers
}

type clusterPorts struct{ etcd, peer, api int }

// StartCluster starts a cluster that keeps its files in dir and waits until it is ready, which takes some seconds. The
// first time it builds what it needs, which takes minutes and is told on progress. When another process grabs a port
// first it tries other ports. Stop ends the cluster; a cluster also ends with the process that started it.
func StartCluster(ctx context.Context, dir string, progress io.Writer) (*Cluster, error) {
	tools, err := clusterTools(ctx, progress)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	for range 3 {
		c := &Cluster{Kubeconfig: filepath.Join(dir, "kubeconfig"), dir: dir, tools: tools, token: rand.Text()}
		if err = c.start(ctx); err == nil {
			return c, nil
		}
		c.Stop()
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	return nil, err
}

// PrepareCluster builds what StartCluster runs, if it is not there yet: all that needs a network.
func PrepareCluster(ctx context.Context, progress io.Writer) error {
	_, err := clusterTools(ctx, progress)
	return err
}

func clusterTools(ctx context.Context, progress io.Writer) (kubeTools, error) {
	tools, err := newKubeTools(progress)
	if err != nil {
		return kubeTools{}, err
	}
	return tools, errors.Join(tools.ensure(ctx, etcd, apiServer), tools.clients(ctx))
}

func (c *Cluster) start(ctx context.Context) error {
	ports, err := FreePorts(3)
	if err != nil {
		return err
	}
	c.ports = clusterPorts{etcd: ports[0], peer: ports[1], api: ports[2]}
	if err := c.writeFiles(); err != nil {
		return err
	}
	client, peer := "http://"+Loopback(c.ports.etcd), "http://"+Loopback(c.ports.peer)
	store, err := Start("etcd", c.tools.path(etcd.name),
		"--data-dir", c.path("etcd"), "--log-level", "warn",
		"--unsafe-no-fsync", // what a power cut would lose is a test's
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	if err != nil {
		return err
	}
	c.rest = append(c.rest, store)
	if err := store.AwaitReady(ctx, func() bool { return OK(ctx, client+"/readyz") }); err != nil {
		return err
	}
	return c.RestartAPIServer(ctx)
}

// RestartAPIServer starts the API server again, after it has ended, on the same port and with the same objects.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	var err error
	c.APIServer, err = Start("kube-apiserver", c.tools.path(apiServer.name),
		"--etcd-servers", "http://"+Loopback(c.ports.etcd),
		"--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none",
		"--secure-port", strconv.Itoa(c.ports.api), "--cert-dir", c.dir,
		"--token-auth-file", c.path("tokens.csv"), "--anonymous-auth=false", "--authorization-mode", "RBAC",
		"--service-account-issuer", "https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file", c.path("sa.key"), "--service-account-signing-key-file", c.path("sa.key"),
		"--disable-admission-plugins", "ServiceAccount", // it waits for a controller that need not run
		"--service-cluster-ip-range", "10.0.0.0/24", "--allow-privileged=true")
	if err != nil {
		return err
	}
	return c.APIServer.AwaitReady(ctx, func() bool { return c.ready(ctx) })
}

// ready asks the API server's own readiness check. The certificate is there once the API server has made it.
func (c *Cluster) ready(ctx context.Context) bool {
	client, err := rest.HTTPClientFor(c.RESTConfig())
	if err != nil {
		return false
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server()+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// RESTConfig returns how a Go client speaks to the cluster as its administrator, as often as it likes.
func (c *Cluster) RESTConfig() *rest.Config {
	return &rest.Config{
		Host: c.server(), BearerToken: c.token, QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAFile: c.caFile()},
	}
}

// Stop ends everything that the cluster has started, at once: its files are a test's. It may be called again.
func (c *Cluster) Stop() {
	for i := len(c.rest) - 1; i > 0; i-- {
		c.rest[i].Kill()
	}
	if c.APIServer != nil {
		c.APIServer.Kill()
	}
	if len(c.rest) > 0 {
		c.rest[0].Kill()
	}
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }
func (c *Cluster) caFile() string          { return c.path("apiserver.crt") }
func (c *Cluster) server() string          { return "https://" + Loopback(c.ports.api) }

// writeFiles writes what the API server and its clients read, into a directory without an older cluster's data.
func (c *Cluster) writeFiles() error {
	if err := errors.Join(os.RemoveAll(c.path("etcd")), os.MkdirAll(c.dir, 0o700)); err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return errors.Join(
		os.WriteFile(c.path("sa.key"), pem.EncodeToMemory(block), 0o600),
		os.WriteFile(c.path("tokens.csv"), []byte(c.token+",admin,admin,system:masters\n"), 0o600),
		c.writeKubeconfig(c.Kubeconfig, c.token),
	)
}

func (c *Cluster) writeKubeconfig(path, token string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: c.server(), CertificateAuthority: c.caFile()}
	config.AuthInfos["test"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test", Namespace: "default"}
	config.CurrentContext = "test"
	return clientcmd.WriteToFile(*config, path)
}
