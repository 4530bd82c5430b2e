// Command cluster starts a Kubernetes API server of this repository's tests for a developer. It installs nothing and
// leaves nothing behind but its cache.
//
//	go run ./test/kube/cluster                      up until Ctrl-C; prints what to export
//	go run ./test/kube/cluster -- kubectl get ns    up for one command, in whose environment kubectl and helm mean it
//
// With --controllers the controller manager, the scheduler and one pretended node run too: Deployments become ready
// although no container runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/postern-auth/postern/test/harness"
)

func main() {
	controllers := flag.Bool("controllers", false, "run the controllers and a pretended node too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *controllers, flag.Args())
	stop()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// run returns the command's own error, or nil after an interrupt.
func run(ctx context.Context, controllers bool, command []string) error {
	dir, err := os.MkdirTemp("", "postern-cluster-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := harness.StartCluster(ctx, dir, os.Stderr)
	if err != nil {
		return err
	}
	defer c.Stop()
	if controllers {
		if err := c.StartControllers(ctx); err != nil {
			return err
		}
	}
	if len(command) > 0 {
		return inside(ctx, c, command)
	}
	fmt.Printf("The cluster is up until Ctrl-C. In another terminal:\n\n  export KUBECONFIG=%s PATH=%s:$PATH\n\n", c.Kubeconfig, c.ToolsDir())
	select {
	case <-ctx.Done():
		return nil
	case <-c.APIServer.Done():
		return fmt.Errorf("the API server ended\n%s", c.APIServer.Tail())
	}
}

// inside runs a command, found on the cluster's own path, with the terminal of this one. An interrupt asks it to end; the
// cluster stays until it has.
func inside(ctx context.Context, c *harness.Cluster, command []string) error {
	cmd := exec.CommandContext(ctx, "env", command...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Env(), os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
