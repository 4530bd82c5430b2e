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

// toolbox is a folder of the cache with programs that tests run, most of them built by Go. Its name holds a version and
// a digest of all pins, so that a changed pin makes a new folder.
type toolbox struct {
	dir      string
	root     string // of this module
	version  string // of the module that gives the folder its name, as v1.36.3
	progress io.Writer
}

// built says which module below test/tools pins a program, and the package it is built from.
type built struct{ name, module, pkg string }

// newToolbox names the folder after the version of a module that pins/go.mod, below test/tools, requires; it makes
// nothing yet. More files that pin something may be named.
func newToolbox(pins, module string, progress io.Writer, more ...string) (toolbox, error) {
	root, err := Root()
	if err != nil {
		return toolbox{}, err
	}
	digest := sha256.New()
	for _, name := range append([]string{pins + "/go.mod", pins + "/go.sum"}, more...) {
		text, err := os.ReadFile(filepath.Join(root, "test", "tools", name))
		if err != nil {
			return toolbox{}, err
		}
		_, _ = digest.Write(text) // a hash takes everything
	}
	version, err := pinned(filepath.Join(root, "test", "tools", pins, "go.mod"), module)
	if err != nil {
		return toolbox{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return toolbox{}, fmt.Errorf("no cache directory: %w; set XDG_CACHE_HOME or HOME", err)
	}
	dir := filepath.Join(cache, "postern", pins, fmt.Sprintf("%s-%.12x", version, digest.Sum(nil)))
	return toolbox{dir: dir, root: root, version: version, progress: progress}, os.MkdirAll(dir, 0o755)
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
func (b toolbox) path(name string) string { return filepath.Join(b.dir, name) }

// once makes a file under a lock and lets it appear in one rename.
func (b toolbox) once(name string, write func(tmp string) error) error {
	if _, err := os.Stat(b.path(name)); err == nil {
		return nil
	}
	unlock, err := lock(b.path(".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(b.path(name)); err == nil { // made while we waited
		return nil
	}
	tmp := b.path("." + name + ".tmp")
	if err := write(tmp); err != nil {
		return err
	}
	return os.Rename(tmp, b.path(name))
}

// build builds a program if it is not there yet. Of several processes that ask, one builds and the others wait for it.
func (b toolbox) build(ctx context.Context, p built, flags ...string) error {
	err := b.once(p.name, func(tmp string) error {
		fmt.Fprintf(b.progress, "building %s into %s (once; minutes)\n", p.name, b.dir)
		began := time.Now()
		args := append([]string{"build", "-trimpath", "-buildvcs=false", "-o", tmp}, flags...)
		cmd := exec.CommandContext(ctx, "go", append(args, p.pkg)...)
		cmd.Dir = filepath.Join(b.root, "test", "tools", p.module)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
		if text, err := cmd.CombinedOutput(); err != nil {
			return errors.Join(fmt.Errorf("building %s: %w", p.pkg, err), errors.New(string(text)))
		}
		fmt.Fprintf(b.progress, "built %s in %s\n", p.name, time.Since(began).Round(time.Second))
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w\n%s is built by Go from the module test/tools/%s; the first time needs the module proxy (see GOPROXY)",
			err, p.name, p.module)
	}
	return nil
}
