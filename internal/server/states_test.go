package server

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestLastGoodIsMadeAgain: a last good version whose surroundings have changed is made again, and given up if that
// fails: a scheme must not go on with the key index of another day.
func TestLastGoodIsMadeAgain(t *testing.T) {
	first, second := &v1alpha1.AuthScheme{}, &v1alpha1.AuthScheme{}
	day, broken := 1, map[*v1alpha1.AuthScheme]bool{second: true}
	made := 0
	m := &maker[int]{
		make: func(doc *v1alpha1.Document, _ func(string) ([]byte, error)) (int, v1alpha1.Errors) {
			if made++; broken[doc.Scheme] {
				return 0, v1alpha1.Errors{{Message: "broken"}}
			}
			return day, nil
		},
		current: func(made int) bool { return made == day },
		revoke:  func(made *int, _ *v1alpha1.Document, _ func(string) ([]byte, error)) *int { return made },
	}
	var s *state[int]
	next := func(scheme *v1alpha1.AuthScheme, want, calls, errs int) {
		t.Helper()
		before := made
		now, bad := s.next(&v1alpha1.Document{Scheme: scheme}, m)
		got := 0
		if s = now; s.inUse != nil {
			got = *s.inUse
		}
		if got != want || made != before+calls || len(bad) != errs {
			t.Errorf("got the value of day %d after %d calls with %v; want day %d, %d calls, %d errors", got, made-before, bad, want, calls, errs)
		}
		if s.fresh != (s.good != nil && s.good.doc.Scheme == scheme) {
			t.Errorf("fresh is %t", s.fresh)
		}
	}
	next(first, 1, 1, 0)
	next(first, 1, 0, 0)
	next(second, 1, 1, 1)
	day = 2
	next(second, 2, 2, 1)
	next(second, 2, 1, 1)
	broken[first], day = true, 3
	next(second, 0, 2, 1)
	broken[first] = false
	next(second, 0, 1, 1) // there is nothing to go back to
	next(first, 3, 1, 0)
}

func TestReadReferenced(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "full"), strings.Repeat("x", maxReferenced))
	writeFile(t, filepath.Join(dir, "large"), strings.Repeat("x", maxReferenced+1))
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newReader(v1alpha1.Origin{File: filepath.Join(dir, "app.yaml")})
	if content, err := r.read("full"); err != nil || len(content) != maxReferenced {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	for name, want := range map[string]error{"large": errReferencedSize, "pipe": errNotRegular, ".": errNotRegular, "absent": os.ErrNotExist} {
		if content, err := r.read(filepath.Join(dir, name)); !errors.Is(err, want) || !strings.Contains(err.Error(), dir) || content != nil {
			t.Errorf("%s: %d bytes, %v", name, len(content), err)
		}
	}
	if !unchanged(r.files) || len(paths(r.files, r.files)) != 5 {
		t.Errorf("%v", r.files)
	}
	writeFile(t, filepath.Join(dir, "absent"), "x")
	if unchanged(r.files) {
		t.Error("a file that is there now is as it was")
	}
}
