package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func TestReadDir(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b.yml"), app("b1", "x")+"---\n"+app("b2", "x"))
	write(t, filepath.Join(dir, "a.yaml"), app("a", "x"))
	write(t, filepath.Join(dir, "c.json"), `{"apiVersion": "postern.dev/v1alpha1", "kind": "App", "metadata": {"name": "c"}, "spec": {"owner": "x"}}`)
	write(t, filepath.Join(dir, "team", "shop", "d.yaml"), app("d", "x"))
	write(t, filepath.Join(dir, "keys.json"), `{"keys": [{"kty": "OKP"}]}`)
	write(t, filepath.Join(dir, "acme.secret"), "s3cret")
	write(t, filepath.Join(dir, "a.yaml~"), broken)
	write(t, filepath.Join(dir, ".a.yaml"), broken)
	write(t, filepath.Join(dir, ".git", "e.yaml"), broken)
	write(t, filepath.Join(dir, "empty.yaml"), "# nothing yet\n")

	s, err := ReadDir(dir + "/.")
	must(t, err)
	if got, want := objects(s), "a=x b1=x b2=x c=x d=x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := s.Documents[4].Origin.File, filepath.Join(dir, "team", "shop", "d.yaml"); got != want {
		t.Errorf("file %q, want %q", got, want)
	}
}

func TestReadDirRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	for name, want := range map[string]string{
		"missing": "resources: lstat DIR/missing: no such file or directory",
		"file":    "resources: DIR/file is not a directory",
	} {
		_, err := ReadDir(filepath.Join(dir, name))
		if err == nil || strings.ReplaceAll(err.Error(), dir, "DIR") != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// TestLinks: whatever can be reached in two ways is read once, and nothing is followed for ever.
func TestLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), app("a", "x"))
	write(t, filepath.Join(elsewhere, "b.yaml"), app("b", "x"))
	must(t, os.Symlink("a.yaml", filepath.Join(dir, "again.yaml")))
	must(t, os.Symlink(dir, filepath.Join(dir, "loop")))
	must(t, os.Symlink(elsewhere, filepath.Join(dir, "other")))
	must(t, os.Symlink(filepath.Join(elsewhere, "b.yaml"), filepath.Join(dir, "z.yaml")))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "nowhere.txt")))
	s, err := ReadDir(dir)
	must(t, err)
	if got, want := objects(s), "a=x b=x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestUnreadable: what cannot be read is said, and the rest is read.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), app("a", "x"))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "dangling.yaml")))
	must(t, os.Symlink("loop.yaml", filepath.Join(dir, "loop.yaml")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe.yaml"), 0o644))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	write(t, filepath.Join(dir, "large.yaml"), "")
	must(t, os.Truncate(filepath.Join(dir, "large.yaml"), maxFile+1))
	write(t, filepath.Join(dir, "old.json"), `{"apiVersion": 1}`)
	deep := filepath.Join(dir, "deep")
	for range maxDepth {
		deep = filepath.Join(deep, "d")
	}
	write(t, filepath.Join(deep, "x.yaml"), app("x", "x"))
	s, err := ReadDir(dir)
	must(t, err)
	const remedy = "; make it readable, or move it away\n"
	want := "dangling.yaml: cannot be read: no such file or directory" + remedy +
		"deep" + strings.Repeat("/d", maxDepth) + ": cannot be read: directories are nested more than 32 deep" + remedy +
		"large.yaml: cannot be read: is larger than 64 MiB" + remedy +
		"loop.yaml: cannot be read: EvalSymlinks: too many links" + remedy +
		"old.json:1: kind: is missing; a resource begins with apiVersion: postern.dev/v1alpha1 and kind: AuthScheme, AuthPolicy or App\n" +
		"pipe.yaml: cannot be read: is not a regular file" + strings.TrimSuffix(remedy, "\n")
	if got := errorsOf(s, dir); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := objects(s), "a=x ! ! ! ! ! !"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTooManyFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		write(t, filepath.Join(dir, "sub", fmt.Sprint(i)), "")
	}
	s := &scan{most: 3, watch: func(string) {}, seen: map[string]bool{}}
	if err := s.directory(dir, dir, 0); !errors.Is(err, errTooMany) {
		t.Errorf("got %v, want %v", err, errTooMany)
	}
}

// TestDuplicates: the first place counts, the second is an error that names both and cannot be taken for the object.
func TestDuplicates(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), app("one", "first"))
	write(t, filepath.Join(dir, "b.yaml"), "# copied\n"+app("one", "second")+"---\n"+app("two", "x")+"---\n"+app("two", "y"))
	s, err := ReadDir(dir)
	must(t, err)
	if got, want := objects(s), "one=first ! two=x !"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want := "b.yaml:4: App default/one: metadata.name: is defined at a.yaml:1 already; that one counts; rename or remove one of them\n" +
		"b.yaml:14: App default/two: metadata.name: is defined at b.yaml:7 already; that one counts; rename or remove one of them"
	if got := errorsOf(s, dir); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, d := range s.Documents {
		if d.Err != nil && (d.App != nil || d.Policy != nil || d.Scheme != nil || d.Name != "") {
			t.Errorf("a duplicate could be taken for the object: %+v", d)
		}
	}
	if e := asErrors(t, s.Documents[1].Err)[0]; e.Field != "metadata.name" || e.Line != 4 {
		t.Errorf("got %+v", e)
	}
	if s.Documents[1].Kind != v1alpha1.KindApp {
		t.Errorf("kind %q", s.Documents[1].Kind)
	}
}

// TestUnlistableDirectory: what was below a directory stays when the directory can no longer be listed.
func TestUnlistableDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), app("a", "x"))
	write(t, filepath.Join(dir, "team", "b.yaml"), app("b", "x"))
	write(t, filepath.Join(dir, "team-2", "c.yaml"), app("c", "x"))
	list, err := scanDirectory(dir, func(string) {})
	must(t, err)
	tr := newTree()
	tr.update(list)
	refused := found{path: filepath.Join(dir, "team"), err: &fs.PathError{Op: "open", Path: "team", Err: fs.ErrPermission}}
	for i, want := range []bool{true, false} { // the second time it is nothing new
		if changed, _ := tr.update([]found{list[0], refused}); changed != want {
			t.Errorf("time %d: changed %t, want %t", i, changed, want)
		}
		got := Snapshot{Documents: tr.snapshot()}
		if want := "a=x ! b=x"; objects(got) != want {
			t.Errorf("got %q, want %q", objects(got), want)
		}
		if got, want := errorsOf(got, dir), "team: cannot be read: permission denied; make it readable, or move it away"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
