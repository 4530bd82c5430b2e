// Command render remakes what is derived from the chart: its README, and the plain manifest in deploy/manifests. The CRDs
// are plain in the chart already.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/postern-auth/postern/test/harness"
)

//go:generate go run .

func main() {
	root, err := harness.Root()
	if err == nil {
		err = write(context.Background(), root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func write(ctx context.Context, root string) error {
	files, err := render(ctx, root)
	if err != nil {
		return err
	}
	for path, text := range files {
		if err := os.WriteFile(filepath.Join(root, path), text, 0o644); err != nil { //nolint:gosec // for everybody
			return err
		}
	}
	return nil
}

// render returns the derived files by their paths below root.
func render(ctx context.Context, root string) (map[string][]byte, error) {
	helm, err := harness.Helm(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	docs, err := harness.HelmDocs.Path(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	chart := filepath.Join(root, "helm", "postern")
	files := map[string][]byte{}
	for _, f := range []struct {
		path, program string
		args          []string
		edit          func([]byte) []byte
	}{
		{"helm/postern/README.md", docs, []string{"-c", chart, "-s", "file", "--dry-run", "-l", "error"}, bytes.TrimSpace},
		{"deploy/manifests/postern.yaml", helm, []string{
			"template", "postern", chart, "--namespace", "postern-system", "--set", "crds.install=false",
		}, plain},
	} {
		text, err := output(ctx, f.program, f.args...)
		if err != nil {
			return nil, err
		}
		files[f.path] = append(bytes.TrimSpace(f.edit(text)), '\n')
	}
	return files, nil
}

// ofHelm are lines that mean something to Helm alone.
var ofHelm = regexp.MustCompile(`(?m)^ +(app\.kubernetes\.io/managed-by|helm\.sh/[a-z-]+): .*\n|^# Source: .*\n`)

// plain removes what says that Helm looks after the objects.
func plain(manifest []byte) []byte { return ofHelm.ReplaceAll(manifest, nil) }

func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // of the tests' own tools
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, stderr.Bytes())
	}
	return out, nil
}
