package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const pretendedNode = `apiVersion: v1
kind: Node
metadata:
  name: pretended
  annotations: {kwok.x-k8s.io/node: fake}
  labels: {kubernetes.io/hostname: pretended, kubernetes.io/os: linux, kubernetes.io/arch: amd64}
`

// stages are the files of kwok that say how a node and a pod that nobody runs become ready, complete and go.
var stages = []string{
	"node/fast/node-initialize", "node/heartbeat-with-lease/node-heartbeat-with-lease",
	"pod/fast/pod-ready", "pod/fast/pod-complete", "pod/fast/pod-delete",
}

// StartControllers starts the controller manager, the scheduler, and kwok with one pretended node, so that Deployments
// become ready although no container runs, namespaces go when they are deleted, and `helm install --wait` returns.
func (c *Cluster) StartControllers(ctx context.Context) error {
	if err := errors.Join(c.tools.ensure(ctx, controllerManager, scheduler, kwok), c.tools.stages(ctx)); err != nil {
		return err
	}
	kwokPort, err := FreePort(0)
	if err != nil {
		return err
	}
	config := "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n" +
		"leaderElection: {leaderElect: false}\nclientConnection: {kubeconfig: " + c.Kubeconfig + "}\n"
	if err := os.WriteFile(c.path("scheduler.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{
		{
			controllerManager.name, "--kubeconfig", c.Kubeconfig, "--leader-elect=false", "--secure-port", "0",
			"--service-account-private-key-file", c.path("sa.key"), "--root-ca-file", c.caFile(),
		},
		{scheduler.name, "--config", c.path("scheduler.yaml"), "--secure-port", "0"},
		{
			kwok.name, "--kubeconfig", c.Kubeconfig, "--config", c.tools.path(stagesFile), "--manage-all-nodes=true",
			"--server-address", Loopback(kwokPort),
		},
	} {
		p, err := Start(args[0], c.tools.path(args[0]), args[1:]...)
		if err != nil {
			return err
		}
		c.rest = append(c.rest, p)
	}
	if err := c.Apply(ctx, pretendedNode); err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, "wait", "--for=condition=Ready", "node/pretended", "--timeout=60s"); err != nil {
		return errors.Join(err, c.tails())
	}
	return nil
}

// tails returns the last lines of the controllers.
func (c *Cluster) tails() error {
	var all []error
	for _, p := range c.rest {
		all = append(all, errors.New(p.Tail()))
	}
	return errors.Join(all...)
}

const stagesFile = "kwok-stages.yaml"

// stages gathers kwok's own files, of the version that is pinned, into one.
func (k kubeTools) stages(ctx context.Context) error {
	return k.once(stagesFile, func(tmp string) error {
		cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok")
		cmd.Dir = filepath.Join(k.root, "test", "tools", kwok.module)
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
		dir, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("looking for kwok's stages: %w", err)
		}
		var all []byte
		for _, name := range stages {
			text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "kustomize", "stage", name+".yaml"))
			if err != nil {
				return err
			}
			all = append(append(all, text...), "\n---\n"...)
		}
		return os.WriteFile(tmp, all, 0o644)
	})
}
