package harness

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// kubeTools is a folder of the cache with what a cluster is made of. Its name holds the version of Kubernetes and a
// digest of all pins, so that a changed pin makes a new folder.
type kubeTools struct {
	dir      string
	root     string // of this module
	version  string // of Kubernetes, as v1.36.3
	progress io.Writer
}

// built says which module below test/tools pins a program, and the package it is built from.
type built struct{ name, module, pkg string }

var (
	etcd              = built{"etcd", "kube", "go.etcd.io/etcd/server/v3"}
	apiServer         = built{"kube-apiserver", "kube", "k8s.io/kubernetes/cmd/kube-apiserver"}
	controllerManager = built{"kube-controller-manager", "kube", "k8s.io/kubernetes/cmd/kube-controller-manager"}
	scheduler         = built{"kube-scheduler", "kube", "k8s.io/kubernetes/cmd/kube-scheduler"}
	kwok              = built{"kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"}
)

// newKubeTools names the folder; it makes nothing yet.
func newKubeTools(progress io.Writer) (kubeTools, error) {
	root, err := Root()
	if err != nil {
		return kubeTools{}, err
	}
	pins := sha256.New()
	for _, name := range []string{"kube/go.mod", "kube/go.sum", "kwok/go.mod", "kwok/go.sum", "kubectl.txt"} {
		text, err := os.ReadFile(filepath.Join(root, "test", "tools", name))
		if err != nil {
			return kubeTools{}, err
		}
		_, _ = pins.Write(text) // a hash takes everything
	}
	version, err := pinned(filepath.Join(root, "test", "tools", "kube", "go.mod"), "k8s.io/kubernetes")
	if err != nil {
		return kubeTools{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return kubeTools{}, fmt.Errorf("no cache directory: %w; set XDG_CACHE_HOME or HOME", err)
	}
	dir := filepath.Join(cache, "postern", "kube", fmt.Sprintf("%s-%.12x", version, pins.Sum(nil)))
	return kubeTools{dir: dir, root: root, version: version, progress: progress}, os.MkdirAll(dir, 0o755)
}

// pinned returns the version that a go.mod file requires of a module.
func pinned(modFile, module string) (string, error) {
	text, err := os.ReadFile(modFile)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(strings.TrimPrefix(line, "require")); len(f) >= 2 && f[0] == module {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("%s requires no %s", modFile, module)
}

// path returns where a program is, or will be.
func (k kubeTools) path(name string) string { return filepath.Join(k.dir, name) }

// ensure builds those of the programs that are not there yet, one after the other. Of several processes that ask, one
// builds and the others wait for it.
func (k kubeTools) ensure(ctx context.Context, programs ...built) error {
	for _, p := range programs {
		err := k.once(p.name, func(tmp string) error { return k.build(ctx, p, tmp) })
		if err != nil {
			return fmt.Errorf("%w\n%s is built by Go from the module test/tools/%s; the first time needs the module proxy (see GOPROXY)",
				err, p.name, p.module)
		}
	}
	return nil
}

// once makes a file under a lock and lets it appear in one rename.
func (k kubeTools) once(name string, write func(tmp string) error) error {
	if _, err := os.Stat(k.path(name)); err == nil {
		return nil
	}
	unlock, err := lock(k.path(".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(k.path(name)); err == nil { // made while we waited
		return nil
	}
	tmp := k.path("." + name + ".tmp")
	if err := write(tmp); err != nil {
		return err
	}
	return os.Rename(tmp, k.path(name))
}

func (k kubeTools) build(ctx context.Context, p built, out string) error {
	fmt.Fprintf(k.progress, "building %s into %s (once; minutes)\n", p.name, k.dir)
	began := time.Now()
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
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", strings.Join(stamp, " "), "-o", out, p.pkg)
	cmd.Dir = filepath.Join(k.root, "test", "tools", p.module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	if text, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("building %s: %w", p.pkg, err), errors.New(string(text)))
	}
	fmt.Fprintf(k.progress, "built %s in %s\n", p.name, time.Since(began).Round(time.Second))
	return nil
}
