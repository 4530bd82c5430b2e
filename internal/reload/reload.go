// Package reload keeps what was made of files, and makes it anew when one of them has changed.
package reload

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// Value is what was made of files when they last were good. It is safe for concurrent use.
type Value[T any] struct {
	what  string
	load  func() (T, error)
	paths []string
	log   *slog.Logger

	mu      sync.Mutex
	current T
	version []version
}

// version tells one state of a file from another; the zero version is that of an absent one.
type version struct {
	modified time.Time
	size     int64
}

// New loads what the files hold. What names it in the log.
func New[T any](what string, load func() (T, error), log *slog.Logger, paths ...string) (*Value[T], error) {
	v := &Value[T]{what: what, load: load, paths: paths, log: log}
	v.version = v.stat()
	var err error
	v.current, err = load()
	return v, err
}

// Latest looks at the files, and loads them if one has changed. If they do not load, the last good value stays, and the
// log says so.
func (v *Value[T]) Latest() T {
	v.mu.Lock()
	defer v.mu.Unlock()
	found := v.stat() // before reading: a change while reading is seen the next time
	if slices.Equal(found, v.version) {
		return v.current
	}
	v.version = found
	next, err := v.load()
	if err != nil {
		v.log.Error(v.what+" changed and cannot be used; the last good version stays in use", slog.Any("error", err))
		return v.current
	}
	v.log.Info(v.what + " reloaded")
	v.current = next
	return next
}

func (v *Value[T]) stat() []version {
	found := make([]version, len(v.paths))
	for i, path := range v.paths {
		if info, err := os.Stat(path); err == nil {
			found[i] = version{info.ModTime(), info.Size()}
		}
	}
	return found
}
