package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// app is a document with one App; its owner tells versions apart.
func app(name, owner string) string {
	return fmt.Sprintf("apiVersion: postern.dev/v1alpha1\nkind: App\nmetadata: {name: %s}\nspec: {owner: %s}\n", name, owner)
}

const broken = "---\n{{{\n"

// write writes a file as most programs do: in place.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// objects lists what a snapshot holds, "name=owner" for each App, "name!" and "!" for documents with an error.
func objects(s Snapshot) string {
	var list []string
	for _, d := range s.Documents {
		text := d.Name
		if d.App != nil {
			text += "=" + d.App.Read().Spec.Owner
		}
		if d.Err != nil {
			text += "!"
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

// errorsOf returns the text of everything that is wrong, with dir left out of it.
func errorsOf(s Snapshot, dir string) string {
	var all []string
	for _, d := range s.Documents {
		if d.Err != nil {
			all = append(all, d.Err.Error())
		}
	}
	return strings.ReplaceAll(strings.Join(all, "\n"), dir+string(filepath.Separator), "")
}

// session is a running Files and the snapshots it delivered.
type session struct {
	t         *testing.T
	files     *Files
	delivered chan Snapshot
	last      Snapshot
	seen      []string // objects of every snapshot

	hold chan struct{} // not nil: Run waits for it after each snapshot
}

// run watches dir until the test ends.
func run(t *testing.T, dir string, configure ...func(*session)) *session {
	t.Helper()
	s := &session{t: t, files: NewFiles(dir, slog.New(slog.DiscardHandler)), delivered: make(chan Snapshot, 1000)}
	for _, c := range configure {
		c(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- s.files.Run(ctx, func(n Snapshot) {
			s.delivered <- n
			if s.hold != nil {
				<-s.hold
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return s
}

// next waits for a snapshot.
func (s *session) next() Snapshot {
	s.t.Helper()
	select {
	case n := <-s.delivered:
		if n.Generation != s.last.Generation+1 {
			s.t.Fatalf("generation %d follows %d", n.Generation, s.last.Generation)
		}
		s.last = n
		s.seen = append(s.seen, objects(n))
		return n
	case <-time.After(20 * time.Second):
		s.t.Fatalf("no snapshot; the last one has %q", objects(s.last))
		return Snapshot{}
	}
}

// await waits for a snapshot with these objects and no error of the directory.
func (s *session) await(want string) Snapshot {
	s.t.Helper()
	for {
		if n := s.next(); n.Err == nil && objects(n) == want {
			return n
		}
	}
}

// never checks that no snapshot so far was of a kind.
func (s *session) never(what string, is func(objects string) bool) {
	s.t.Helper()
	if i := slices.IndexFunc(s.seen, is); i >= 0 {
		s.t.Errorf("%s: %q", what, s.seen)
	}
}

func asErrors(t *testing.T, err error) v1alpha1.Errors {
	t.Helper()
	var all v1alpha1.Errors
	if !errors.As(err, &all) {
		t.Fatalf("%T is not an Errors", err)
	}
	return all
}
