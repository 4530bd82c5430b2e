package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kubectl runs kubectl as the administrator and returns what it printed to standard output.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.command(ctx, "", "kubectl", args...)
}

// Apply makes the objects of a YAML text, or changes them to it, on the server's side.
func (c *Cluster) Apply(ctx context.Context, manifest string) error {
	_, err := c.command(ctx, manifest, "kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-")
	return err
}

// Helm runs helm as the administrator and returns what it printed to standard output.
func (c *Cluster) Helm(ctx context.Context, args ...string) (string, error) {
	return c.command(ctx, "", "helm", args...)
}

// ServiceAccountKubeconfig writes a kubeconfig whose user is a service account that exists and returns its path. The
// token in it counts for a day.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, namespace, name string) (string, error) {
	token, err := c.Kubectl(ctx, "create", "token", name, "--namespace", namespace, "--duration", "24h")
	if err != nil {
		return "", err
	}
	path := c.path("kubeconfig-" + namespace + "-" + name)
	return path, c.writeKubeconfig(path, strings.TrimSpace(token))
}

// ToolsDir returns the folder of kubectl, helm and the rest.
func (c *Cluster) ToolsDir() string { return c.tools.dir }

// Env returns the environment in which kubectl, helm and what else reads KUBECONFIG mean this cluster. Their caches and
// settings are the cluster's own.
func (c *Cluster) Env() []string {
	return append(os.Environ(),
		"KUBECONFIG="+c.Kubeconfig,
		"PATH="+c.tools.dir+string(os.PathListSeparator)+os.Getenv("PATH"),
		"KUBECACHEDIR="+c.path("kubectl"),
		"HELM_CACHE_HOME="+c.path("helm"), "HELM_CONFIG_HOME="+c.path("helm"), "HELM_DATA_HOME="+c.path("helm"))
}

func (c *Cluster) command(ctx context.Context, stdin, name string, args ...string) (string, error) {
	var stderr Output
	cmd := exec.CommandContext(ctx, c.tools.path(name), args...)
	cmd.Env, cmd.Stdin, cmd.Stderr = c.Env(), strings.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), err
}

// InstallGatewayAPI applies the standard channel's custom resource definitions of the Gateway API, of the version that
// this module is built with.
func (c *Cluster) InstallGatewayAPI(ctx context.Context) error {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	list.Dir = c.tools.root
	dir, err := list.Output()
	if err != nil {
		return fmt.Errorf("looking for the Gateway API's definitions: %w", err)
	}
	_, err = c.Kubectl(ctx, "apply", "--server-side", "-f", filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "standard"))
	return err
}

// InstallDefinitions applies the custom resource definitions of this repository and waits until they are served.
func (c *Cluster) InstallDefinitions(ctx context.Context) error {
	dir := filepath.Join(c.tools.root, "helm", "postern", "files", "crds")
	if _, err := c.Kubectl(ctx, "apply", "--server-side", "-f", dir); err != nil {
		return err
	}
	_, err := c.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "-f", dir)
	return err
}
