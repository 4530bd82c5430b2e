package harness

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// kubeTools is what a cluster is made of.
type kubeTools struct{ toolbox }

var (
	etcd              = built{"etcd", "kube", "go.etcd.io/etcd/server/v3"}
	apiServer         = built{"kube-apiserver", "kube", "k8s.io/kubernetes/cmd/kube-apiserver"}
	controllerManager = built{"kube-controller-manager", "kube", "k8s.io/kubernetes/cmd/kube-controller-manager"}
	scheduler         = built{"kube-scheduler", "kube", "k8s.io/kubernetes/cmd/kube-scheduler"}
	kwok              = built{"kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"}
)

func newKubeTools(progress io.Writer) (kubeTools, error) {
	box, err := newToolbox("kube", "k8s.io/kubernetes", progress, "kwok/go.mod", "kwok/go.sum", "kubectl.txt")
	return kubeTools{box}, err
}

// ensure builds those of the programs that are not there yet, one after the other.
func (k kubeTools) ensure(ctx context.Context, programs ...built) error {
	// What `kubectl version` and the API server's compatibility checks read.
	stamp := []string{"-s", "-w"}
	numbers := strings.SplitN(strings.TrimPrefix(k.version, "v"), ".", 3)
	if len(numbers) != 3 {
		return fmt.Errorf("%s is no version of Kubernetes", k.version)
	}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		stamp = append(stamp, "-X", pkg+".gitVersion="+k.version, "-X", pkg+".gitMajor="+numbers[0],
			"-X", pkg+".gitMinor="+numbers[1], "-X", pkg+".gitTreeState=clean")
	}
	for _, p := range programs {
		if err := k.build(ctx, p, "-ldflags", strings.Join(stamp, " ")); err != nil {
			return err
		}
	}
	return nil
}
