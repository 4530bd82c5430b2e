package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRotatedSecretsStayReadable has a file that the server reads by its group.
func TestRotatedSecretsStayReadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	const mode fs.FileMode = 0o640
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
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
}
