package reload

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLatest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "value")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	loads := 0
	load := func() (string, error) {
		loads++
		text, err := os.ReadFile(path)
		if err == nil && strings.HasPrefix(string(text), "bad") {
			err = errors.New("it is bad")
		}
		return string(text), err
	}
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	if _, err := New("the value", load, logger, path); err == nil {
		t.Fatal("a file that is not there was loaded")
	}
	write("one")
	v, err := New("the value", load, logger, path)
	if err != nil {
		t.Fatal(err)
	}
	loads = 0
	for _, step := range []struct {
		change func()
		want   string
		loads  int
	}{
		{func() {}, "one", 0},
		{func() { write("three") }, "three", 1},
		{func() { write("bad text") }, "three", 2},
		{func() {}, "three", 2}, // what is bad is not read again and again
		{func() { _ = os.Remove(path) }, "three", 3},
		{func() { write("four") }, "four", 4},
	} {
		step.change()
		if got := v.Latest(); got != step.want || loads != step.loads {
			t.Errorf("%q after %d loads, want %q after %d", got, loads, step.want, step.loads)
		}
	}
	for _, want := range []string{"the value reloaded", "the value changed and cannot be used", "it is bad"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
}
