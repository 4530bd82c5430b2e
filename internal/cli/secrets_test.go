package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRotatedSecretsStayReadable has a file that the server reads by its group, another than that of who rotates where
// that can be had.
func TestRotatedSecretsStayReadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	const mode fs.FileMode = 0o640
	group := os.Getegid()
	if os.Geteuid() == 0 {
		group++
	}
	for _, step := range []struct {
		command string
		want    fs.FileMode
	}{{"generate", 0o600}, {"rotate", mode}} {
		var out, errOut strings.Builder
		if code := run(t.Context(), []string{"secrets", step.command, path}, Build{}, nil, &out, &errOut); code != exitDone {
			t.Fatalf("%s: exit %d: %s", step.command, code, &errOut)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != step.want {
			t.Errorf("%s: %v, %v", step.command, info.Mode(), err)
		}
		if is := info.Sys().(*syscall.Stat_t).Gid; step.command == "rotate" && int(is) != group {
			t.Errorf("it is of group %d, no longer of %d", is, group)
		}
		if err := errors.Join(os.Chmod(path, mode), os.Chown(path, -1, group)); err != nil {
			t.Fatal(err)
		}
	}
}
