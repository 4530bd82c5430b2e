// Package image builds the container image, looks what is in it, and runs it as Kubernetes would: as nobody in
// particular, on a root that cannot be written.
package image

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/test/harness"
)

const (
	nobody  = "65532"
	program = "/ko-app/postern"
)

func TestImage(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	native := "linux/" + runtime.GOARCH
	at, digest := build(t, root, root, "--platforms", native)
	img, ok := at.images(t)[native]
	if !ok {
		t.Fatalf("no image is for %s", native)
	}
	if img.Config.User != nobody+":"+nobody {
		t.Errorf("it runs as %q", img.Config.User)
	}
	if diff := cmp.Diff([]string{program}, img.Config.Entrypoint); diff != "" {
		t.Errorf("it runs another program:\n%s", diff)
	}
	dir := filepath.Join(t.TempDir(), "root")
	if diff := cmp.Diff([]string{program}, at.extract(t, &img, dir)); diff != "" {
		t.Errorf("more or less than the program is in it:\n%s", diff)
	}
	t.Run("static", func(t *testing.T) { static(t, filepath.Join(dir, program)) })
	t.Run("runs", func(t *testing.T) { runs(t, dir, program) })
	t.Run("reproducible", func(t *testing.T) {
		elsewhere := t.TempDir()
		for _, part := range []string{"cmd", "internal", "proto"} {
			if err := os.CopyFS(filepath.Join(elsewhere, part), os.DirFS(filepath.Join(root, part))); err != nil {
				t.Fatal(err)
			}
		}
		for _, part := range []string{"go.mod", "go.sum"} {
			text, err := os.ReadFile(filepath.Join(root, part))
			if err == nil {
				err = os.WriteFile(filepath.Join(elsewhere, part), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, again := build(t, root, elsewhere, "--platforms", native); again != digest {
			t.Errorf("the same source in another directory gives %q, not %q", again, digest)
		}
	})
}

// build builds the image of a source into a layout and returns its digest.
func build(t *testing.T, root, source string, flags ...string) (at layout, digest string) {
	t.Helper()
	at = layout(filepath.Join(t.TempDir(), "layout"))
	args := []string{"run", ".", "--root", source, "--layout", string(at), "--version", "v0.0.0-test", "--commit", "0123456789ab"}
	cmd := exec.CommandContext(t.Context(), "go", append(args, flags...)...)
	cmd.Dir = filepath.Join(root, "deploy", "image")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("building the image, for which the module proxy is needed the first time: %v\n%s", err, stderr.String())
	}
	return at, string(out)
}

// static: the program needs no library, and no CAs of a system.
func static(t *testing.T, program string) {
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it needs a dynamic linker")
		}
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var deps []string
	for _, d := range info.Deps {
		deps = append(deps, d.Path)
	}
	if !slices.Contains(deps, "golang.org/x/crypto/x509roots/fallback") {
		t.Errorf("it brings no CAs along, and the image has none: %v", deps)
	}
}

// confined runs a program below a root that nobody can write to, without capabilities, as another user. Whoever is not
// root becomes that user in a user namespace.
const confined = `set -e
root=$1 config=$2 user=$3
shift 3
mkdir -p "$root/etc/postern"
mount --bind "$root" "$root"
mount --bind "$config" "$root/etc/postern"
mount -o remount,ro,bind "$root"
if touch "$root/written" 2>/dev/null; then echo "the root can be written" >&2; exit 1; fi
if [ "$INVOKER" = 0 ]; then exec chroot --userspec="$user:$user" --groups= "$root" "$@"; fi
exec unshare --user --map-user="$user" --map-group="$user" --root="$root" "$@"
`

// runs: it serves, says that it is well, and ends when it is asked to.
func runs(t *testing.T, root, program string) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ports, err := harness.FreePorts(2)
	if err != nil {
		t.Fatal(err)
	}
	config := t.TempDir()
	for name, text := range map[string]string{
		"postern.yaml": fmt.Sprintf("extauthz: {address: %q}\nops: {address: %q}\n", harness.Loopback(ports[0]), harness.Loopback(ports[1])),
		"policies/policy.yaml": "apiVersion: postern.dev/v1alpha1\nkind: AuthPolicy\nmetadata: {name: open}\n" +
			"spec: {hosts: [open.example.com], security: [{}]}\n",
	} {
		file := filepath.Join(config, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(config, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"--mount", "sh", "-c", confined, "confined", root, config, nobody, program, "serve", "-c", "/etc/postern/postern.yaml"}
	if os.Geteuid() != 0 {
		args = append([]string{"--user", "--map-root-user"}, args...)
	}
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("INVOKER=%d", os.Geteuid()))
	p, err := harness.StartCommand("the image", cmd)
	if err != nil {
		t.Fatalf("%v: unshare is part of util-linux", err)
	}
	defer p.Kill()
	base := "http://" + harness.Loopback(ports[1])
	if err := p.AwaitReady(ctx, func() bool { return harness.OK(ctx, base+"/readyz") }); err != nil {
		t.Fatal(err)
	}
	if !harness.OK(ctx, base+"/healthz") {
		t.Error("it is ready, and not alive")
	}
	isNobody(t, p.PID())
	if err := p.Stop(ctx); err != nil {
		t.Errorf("it did not end well: %v\n%s", err, p.Tail())
	}
}

// isNobody asks the kernel who a process is and what it may.
func isNobody(t *testing.T, pid int) {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", pid)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"CapEff:\t0000000000000000\n"}
	if os.Geteuid() == 0 {
		want = append(want, "Groups:\t \n", "Uid:\t"+strings.TrimSuffix(strings.Repeat(nobody+"\t", 4), "\t")+"\n")
	} else if users, err := os.ReadFile(proc + "uid_map"); err != nil || !strings.HasPrefix(strings.TrimSpace(string(users)), nobody) {
		t.Errorf("it is not %s: %s %v", nobody, users, err)
	}
	for _, line := range want {
		if !strings.Contains(string(status), line) {
			t.Errorf("its status does not say %q:\n%s", line, status)
		}
	}
}
