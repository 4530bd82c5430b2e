package source

import (
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// watcher asks fsnotify about directories. It is told anew at each reading, between begin and end, what matters.
type watcher struct {
	notify   *fsnotify.Watcher // nil: there is no such service here
	events   <-chan fsnotify.Event
	errors   <-chan error
	log      *slog.Logger
	dir      string
	complete bool // everything is watched that should be
	warned   bool

	whole map[string]bool            // directories in which everything matters
	names map[string]map[string]bool // directory → the names in it that matter
}

func newWatcher(dir string, log *slog.Logger) *watcher {
	w := &watcher{log: log, dir: dir}
	n, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("resources are polled every second, for they cannot be watched", "dir", dir, "error", err)
		return w
	}
	w.notify, w.events, w.errors = n, n.Events, n.Errors
	return w
}

func (w *watcher) close() {
	if w.notify != nil {
		_ = w.notify.Close() // there is nobody left to tell
	}
}

// begin forgets what mattered. The directory's own name does always: it may be removed and come back, or be a link that
// is changed.
func (w *watcher) begin() {
	w.whole, w.names = map[string]bool{}, map[string]map[string]bool{}
	w.complete = w.notify != nil
	w.addFile(w.dir)
}

// addDirectory watches everything in a directory, not below it.
func (w *watcher) addDirectory(dir string) {
	if !w.whole[dir] {
		w.whole[dir] = true
		w.add(dir)
	}
}

// addFile watches one name, by way of its directory: a file that is replaced is another file.
func (w *watcher) addFile(path string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return
	}
	dir := filepath.Dir(path)
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target // fsnotify knows each directory by one name
	}
	if w.names[dir] == nil {
		w.names[dir] = map[string]bool{}
		w.add(dir)
	}
	w.names[dir][filepath.Base(path)] = true
}

// add asks for events. To ask again costs little, and is needed where the directory has been replaced.
func (w *watcher) add(dir string) {
	if w.notify == nil {
		return
	}
	err := w.notify.Add(dir)
	if err == nil {
		return
	}
	w.complete = false
	if !w.warned && !errors.Is(err, fs.ErrNotExist) {
		w.warned = true
		w.log.Warn("resources are polled every second, for a directory cannot be watched", "dir", dir, "error", err)
	}
}

// end stops watching what no longer matters. It reports whether anything was stopped: then another look is due, for a
// directory that was renamed is watched under its old name until here, and under its new one only from here on.
func (w *watcher) end() (stopped bool) {
	if w.notify == nil {
		return false
	}
	for _, dir := range w.notify.WatchList() {
		if !w.whole[dir] && w.names[dir] == nil {
			_ = w.notify.Remove(dir) // it may be gone by itself
			stopped = true
		}
	}
	if stopped {
		for dir := range w.whole {
			w.add(dir)
		}
		for dir := range w.names {
			w.add(dir)
		}
	}
	return stopped
}

// matters reports whether an event is worth a look. Of hidden names only those that begin with two dots are: they are
// what Kubernetes swaps when a ConfigMap or a Secret changes.
func (w *watcher) matters(e fsnotify.Event) bool {
	dir, name := filepath.Dir(e.Name), filepath.Base(e.Name)
	return w.whole[e.Name] || w.names[dir][name] || strings.HasPrefix(name, "..") ||
		w.whole[dir] && !strings.HasPrefix(name, ".")
}
