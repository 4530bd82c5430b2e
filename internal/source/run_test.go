package source

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestChanges: every way in which people and programs change files.
func TestChanges(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	write(t, file, app("a", "v1"))
	s := run(t, dir)
	s.await("a=v1")

	write(t, file, app("a", "v2"))
	s.await("a=v2")

	write(t, filepath.Join(dir, ".a.yaml.tmp"), app("a", "v3")) // write beside and rename: Go, Ansible, sed -i
	must(t, os.Rename(filepath.Join(dir, ".a.yaml.tmp"), file))
	s.await("a=v3")

	must(t, os.Rename(file, file+"~")) // vim: the old one becomes a backup
	write(t, file, app("a", "v4"))
	s.await("a=v4")
	must(t, os.Remove(file+"~"))

	elsewhere := filepath.Join(t.TempDir(), "x.yaml") // moved in from elsewhere
	write(t, elsewhere, app("b", "v1"))
	must(t, os.Rename(elsewhere, filepath.Join(dir, "b.yaml")))
	s.await("a=v4 b=v1")

	write(t, filepath.Join(dir, "team", "shop", "c.yaml"), app("c", "v1")) // directories that did not exist
	s.await("a=v4 b=v1 c=v1")
	write(t, filepath.Join(dir, "team", "shop", "c.yaml"), app("c", "v2"))
	s.await("a=v4 b=v1 c=v2")

	must(t, os.Rename(filepath.Join(dir, "team"), filepath.Join(dir, "crew")))
	s.await("a=v4 b=v1 c=v2")
	write(t, filepath.Join(dir, "crew", "shop", "c.yaml"), app("c", "v3"))
	s.await("a=v4 b=v1 c=v3")

	must(t, os.RemoveAll(filepath.Join(dir, "crew")))
	s.await("a=v4 b=v1")
	must(t, os.Rename(filepath.Join(dir, "b.yaml"), filepath.Join(dir, "b.yaml.off")))
	s.await("a=v4")
	must(t, os.Remove(file))
	s.await("")
}

// TestSameContent: a file that is touched, or written again as it was, is no change, and neither are hidden files.
func TestSameContent(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	write(t, file, app("a", "v1"))
	s := run(t, dir)
	before := s.await("a=v1")
	must(t, os.Chtimes(file, time.Time{}, time.Now().Add(time.Hour)))
	write(t, file, app("a", "v1"))
	write(t, filepath.Join(dir, ".hidden.yaml"), app("h", "v1"))
	write(t, filepath.Join(dir, "b.yaml"), app("b", "v1"))
	if after := s.next(); objects(after) != "a=v1 b=v1" || after.Documents[0].App != before.Documents[0].App {
		t.Errorf("got %q; read again: %t", objects(after), after.Documents[0].App != before.Documents[0].App)
	}
}

// TestWithinOneTick: a change is seen even if neither size nor time of the file tell of it.
func TestWithinOneTick(t *testing.T) {
	dir := t.TempDir()
	file, now := filepath.Join(dir, "a.yaml"), time.Now()
	write(t, file, app("a", "v1"))
	must(t, os.Chtimes(file, now, now))
	s := run(t, dir)
	s.await("a=v1")
	write(t, file, app("a", "v2"))
	must(t, os.Chtimes(file, now, now))
	s.await("a=v2")
}

// TestConfigMap is how Kubernetes mounts and changes one: links to a link that is swapped.
func TestConfigMap(t *testing.T) {
	dir := t.TempDir()
	publish := func(version string, names ...string) {
		for _, n := range names {
			write(t, filepath.Join(dir, ".."+version, n+".yaml"), app(n, version))
		}
		must(t, os.Symlink(".."+version, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	publish("v1", "a", "b")
	for _, n := range []string{"a", "b"} {
		must(t, os.Symlink(filepath.Join("..data", n+".yaml"), filepath.Join(dir, n+".yaml")))
	}
	s := run(t, dir)
	if first := s.await("a=v1 b=v1"); first.Documents[0].Origin.File != filepath.Join(dir, "a.yaml") {
		t.Errorf("the file is said to be %s", first.Documents[0].Origin.File)
	}
	publish("v2", "a", "b")
	must(t, os.RemoveAll(filepath.Join(dir, "..v1")))
	s.await("a=v2 b=v2")
	publish("v3", "a")
	must(t, os.Remove(filepath.Join(dir, "b.yaml")))
	s.await("a=v3")
	s.never("versions are mixed", func(o string) bool { return strings.Contains(o, "v1") && strings.Contains(o, "v2") })
}

// TestDirectoryGoesAndComes: without its directory a server keeps what it knows.
func TestDirectoryGoesAndComes(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "policies")
	s := run(t, dir)
	first := s.next()
	if first.Err == nil || len(first.Documents) != 0 {
		t.Fatalf("got %+v", first)
	}
	if got, want := strings.ReplaceAll(first.Err.Error(), dir, "DIR"), "resources: lstat DIR: no such file or directory"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	write(t, filepath.Join(dir, "a.yaml"), app("a", "v1"))
	s.await("a=v1")

	must(t, os.RemoveAll(dir))
	for s.next().Err == nil {
	}
	if got := objects(s.last); got != "a=v1" && got != "" { // emptied, and looked at, before it was removed
		t.Errorf("got %q", got)
	}
	write(t, filepath.Join(dir, "a.yaml"), app("a", "v2"))
	s.await("a=v2")

	must(t, os.Rename(dir, dir+".old")) // removed at one stroke
	gone := s.next()
	if gone.Err == nil || objects(gone) != "a=v2" {
		t.Errorf("got %q, %v", objects(gone), gone.Err)
	}
	must(t, os.Rename(dir+".old", dir))
	s.await("a=v2")
	write(t, filepath.Join(dir, "a.yaml"), app("a", "v3"))
	s.await("a=v3")

	write(t, filepath.Join(parent, "release-2", "a.yaml"), app("a", "v4")) // replaced by a link
	must(t, os.RemoveAll(dir))
	must(t, os.Symlink("release-2", dir))
	s.await("a=v4")
	write(t, filepath.Join(parent, "release-3", "a.yaml"), app("a", "v5")) // and the link by another
	must(t, os.Symlink("release-3", dir+".new"))
	must(t, os.Rename(dir+".new", dir))
	s.await("a=v5")
}

// TestMistakesTakeNothingAway: objects whose file cannot be read or parsed stay; objects that are broken themselves keep
// their last good version; what is removed is gone.
func TestMistakesTakeNothingAway(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	write(t, file, app("a", "v1")+"---\n"+app("b", "v1"))
	s := run(t, dir)
	s.await("a=v1 b=v1")

	write(t, file, app("a", "v2")+"---\n"+app("b", "v2")+"  oops") // b cannot be parsed: it may still be meant
	s.await("a=v2 ! b=v1")
	write(t, file, broken)
	s.await("! a=v2 b=v1")
	write(t, file, strings.Replace(app("a", "v3"), "App", "Ap", 1)+"---\n"+app("b", "v2"))
	s.await("a! b=v2 a=v2")
	write(t, file, broken+"---\n"+app("b", "v3"))
	s.await("! b=v3 a=v2")
	write(t, filepath.Join(dir, "b.yaml"), app("a", "v4")) // moved: the old version does not stand in its way
	s.await("! b=v3 a=v4")
	write(t, file, app("b", "[x]")) // broken, with a name
	s.await("b=v3! a=v4")
	write(t, file, app("b", "[x, y]"))
	s.await("b=v3! a=v4")
	write(t, file, broken) // and now without
	s.await("! a=v4 b=v3")
	write(t, file, app("b", "[x]"))
	s.await("b=v3! a=v4")
	write(t, file, app("c", "[x]")) // another name: b is gone, and c never was
	s.await("c! a=v4")
	must(t, os.Remove(file))
	s.await("a=v4")

	must(t, os.Remove(filepath.Join(dir, "b.yaml")))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "b.yaml")))
	s.await("! a=v4")
	must(t, os.Remove(filepath.Join(dir, "b.yaml")))
	s.await("")
}

// TestDuplicateTakesOver: when the first of two goes, the second counts.
func TestDuplicateTakesOver(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), app("x", "first"))
	write(t, filepath.Join(dir, "b.yaml"), app("x", "second"))
	s := run(t, dir)
	s.await("x=first !")
	must(t, os.Remove(filepath.Join(dir, "a.yaml")))
	s.await("x=second")
}

// TestWrittenSlowly: a file that is emptied first and written later never takes its objects away in between; one that
// stays empty does.
func TestWrittenSlowly(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	write(t, file, app("a", "v1"))
	s := run(t, dir)
	s.await("a=v1")

	must(t, os.Truncate(file, 0))
	write(t, filepath.Join(dir, "b.yaml"), app("b", "v1"))
	s.await("a=v1 b=v1") // it was looked at while it was empty
	out, err := os.OpenFile(file, os.O_WRONLY, 0)
	must(t, err)
	for _, piece := range strings.SplitAfter(app("a", "v2"), "\n") {
		_, err := out.WriteString(piece)
		must(t, err)
	}
	must(t, out.Close())
	s.await("a=v2 b=v1")
	s.never("an object was missing", func(o string) bool { return !strings.Contains(o, "a=") })

	must(t, os.Truncate(file, 0))
	s.await("b=v1")

	write(t, file, app("a", "v3"))
	s.await("a=v3 b=v1")
	must(t, os.Truncate(file, 0))
	must(t, os.Chtimes(file, time.Time{}, time.Now().Add(time.Hour))) // by another machine's clock
	s.await("b=v1")
}

// TestOtherFiles: secrets and key sets are not resources, and a change of one makes a snapshot.
func TestOtherFiles(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	inside, outside, hidden := filepath.Join(dir, "a.secret"), filepath.Join(elsewhere, "b.secret.yaml"), filepath.Join(dir, ".c.secret")
	write(t, filepath.Join(dir, "a.yaml"), app("a", "v1"))
	write(t, inside, "1")
	write(t, outside, "{{{ 1")
	write(t, hidden, "1")
	s := run(t, dir)
	s.await("a=v1")
	write(t, inside, "2")
	s.await("a=v1")

	s.files.Loaded(Result{Files: []string{inside, outside, hidden, filepath.Join(elsewhere, "missing")}})
	s.await("a=v1") // they are new
	s.files.Loaded(Result{Files: []string{inside, outside, hidden, filepath.Join(elsewhere, "missing")}})
	write(t, outside, "{{{ 2")
	s.await("a=v1")
	write(t, outside+".tmp", "{{{ 3")
	must(t, os.Rename(outside+".tmp", outside))
	s.await("a=v1")
	write(t, hidden, "2")
	must(t, os.Rename(hidden, hidden+".old"))
	s.await("a=v1")
	write(t, filepath.Join(elsewhere, "missing"), "1")
	s.await("a=v1")
	write(t, filepath.Join(elsewhere, "nobody's"), "1")
	must(t, os.Remove(outside))
	s.await("a=v1")
	write(t, filepath.Join(dir, "a.yaml"), app("a", "v2"))
	if s.await("a=v2"); s.last.Generation != 9 {
		t.Errorf("generation %d, want one for each change: 9", s.last.Generation)
	}
}

// TestPoll: a change that nothing reports is seen all the same. Here it is a link on the way to a linked file.
func TestPoll(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	write(t, filepath.Join(elsewhere, "v1", "a.yaml"), app("a", "v1"))
	write(t, filepath.Join(elsewhere, "v2", "a.yaml"), app("a", "v2"))
	must(t, os.Symlink("v1", filepath.Join(elsewhere, "current")))
	must(t, os.Symlink(filepath.Join(elsewhere, "current", "a.yaml"), filepath.Join(dir, "a.yaml")))
	s := run(t, dir, func(s *session) { s.files.poll = 50 * time.Millisecond })
	s.await("a=v1")
	must(t, os.Symlink("v2", filepath.Join(elsewhere, "next")))
	must(t, os.Rename(filepath.Join(elsewhere, "next"), filepath.Join(elsewhere, "current")))
	s.await("a=v2")
}

// TestOverflow: more events than the kernel keeps, while nobody takes them.
func TestOverflow(t *testing.T) {
	setting, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	must(t, err)
	most, err := strconv.Atoi(strings.TrimSpace(string(setting)))
	must(t, err)

	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), app("a", "v1"))
	hold, log := make(chan struct{}), new(bytes.Buffer)
	s := run(t, dir, func(s *session) {
		s.files.poll, s.files.log, s.hold = time.Hour, slog.New(slog.NewTextHandler(log, nil)), hold
	})
	s.await("a=v1")
	write(t, filepath.Join(dir, "b.txt"), "")
	for i := range most + 8192 { // more than fsnotify's buffer holds besides
		must(t, os.Chmod(filepath.Join(dir, []string{"a.yaml", "b.txt"}[i%2]), 0o644))
	}
	write(t, filepath.Join(dir, "a.yaml"), app("a", "v2")) // nobody is told of this one
	close(hold)
	s.await("a=v2")
	if !strings.Contains(log.String(), "overflow") {
		t.Errorf("there was no overflow: %s", log)
	}
}
