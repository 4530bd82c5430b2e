package harness

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakePython puts a python3 of ours alone on the PATH. Its virtual environments share a log of what was installed.
func fakePython(t *testing.T, venv string) (cache, requirements, log string) {
	t.Helper()
	dir := t.TempDir()
	cache, requirements, log = filepath.Join(dir, "cache"), filepath.Join(dir, "tool.txt"), filepath.Join(dir, "log")
	script := `#!/bin/sh
PATH=/bin:/usr/bin
case "$*" in
"-m venv "*) ` + venv + `
	mkdir -p "$3/bin" "$3/lib/python3.99/site-packages" && cp "$0" "$3/bin/python" ;;
*"--target"*) for last; do :; done; mkdir -p "$last" && echo target >>` + log + ` ;;
"-m pip install"*) echo venv >>` + log + ` ;;
esac
`
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{filepath.Join(bin, "python3"): script, requirements: "tool==1.0 --hash=sha256:00\n"} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	t.Setenv("XDG_CACHE_HOME", cache)
	return cache, requirements, log
}

func TestWheelsAreInstalledOnce(t *testing.T) {
	_, requirements, log := fakePython(t, "")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := Wheels(t.Context(), requirements, io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	installed, err := os.ReadFile(log)
	if err != nil || string(installed) != "venv\n" {
		t.Errorf("installed %q (%v), want once", installed, err)
	}
	t.Setenv("PATH", t.TempDir()) // neither Python nor a network is needed any more
	if _, err := Wheels(t.Context(), requirements, io.Discard); err != nil {
		t.Errorf("from the cache: %v", err)
	}
}

func TestWheelsWithoutVenv(t *testing.T) {
	_, requirements, log := fakePython(t, `mkdir -p "$3/lib/python3.99/site-packages"; echo ensurepip is not available; exit 1`)
	site, err := Wheels(t.Context(), requirements, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if installed, err := os.ReadFile(log); err != nil || string(installed) != "target\n" || filepath.Base(site) != "site-packages" {
		t.Errorf("installed %q into %s (%v)", installed, site, err)
	}
}

func TestWheelsFailure(t *testing.T) {
	cases := map[string]struct{ venv, want string }{
		"no python": {"", "python3 is not installed; install it (Debian, Ubuntu: apt-get install python3-venv)"},
		"no pip":    {"echo no ensurepip; exit 1", "python3 has neither venv nor pip"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cache, requirements, _ := fakePython(t, c.venv)
			if name == "no python" {
				t.Setenv("PATH", t.TempDir())
			} else if err := breakPip(os.Getenv("PATH")); err != nil {
				t.Fatal(err)
			}
			_, err := Wheels(t.Context(), requirements, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), requirements) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			left, err := os.ReadDir(filepath.Join(cache, "postern"))
			if err != nil || len(left) != 1 || !strings.HasSuffix(left[0].Name(), ".lock") {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

// breakPip makes the fake python fail at everything to do with pip.
func breakPip(bin string) error {
	path := filepath.Join(bin, "python3")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.Replace(string(text), "case ", `case "$*" in *pip*) exit 1;; esac; case `, 1)), 0o755)
}
