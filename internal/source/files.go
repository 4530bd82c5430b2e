package source

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Files watches a directory of resources: *.yaml, *.yml and *.json, in it and below it. Names that begin with a dot are
// passed over. A file of resources has at most 64 MiB, and there are at most 200,000 files.
type Files struct {
	dir string
	log *slog.Logger

	mu    sync.Mutex
	other []string
	kick  chan struct{}

	quiet, patience, poll time.Duration
}

// NewFiles makes a Files for the directory. Nothing is read before Run.
func NewFiles(dir string, log *slog.Logger) *Files {
	return &Files{
		dir: filepath.Clean(dir), log: log, kick: make(chan struct{}, 1),
		quiet:    100 * time.Millisecond, // writers write in pieces
		patience: 500 * time.Millisecond, // and some never stop
		poll:     10 * time.Second,
	}
}

// ReadDir reads the directory once. The error is about the directory; what is wrong with files and objects is in the
// documents.
func ReadDir(dir string) (Snapshot, error) {
	list, err := scanDirectory(filepath.Clean(dir), func(string) {})
	if err != nil {
		return Snapshot{}, fmt.Errorf("resources: %w", err)
	}
	t := newTree()
	t.update(list)
	return Snapshot{Documents: t.snapshot()}, nil
}

// Loaded names the files that resources refer to, such as secrets, so that a change of one makes a Snapshot too. They
// replace those named before. Those in the directory are watched anyway, unless they are hidden; for each of the others
// that is new, one Snapshot is made at once, since it may have changed after its reader read it.
func (f *Files) Loaded(r Result) {
	f.mu.Lock()
	f.other = nil
	for _, p := range r.Files {
		f.other = append(f.other, filepath.Clean(p))
	}
	f.mu.Unlock()
	select {
	case f.kick <- struct{}{}:
	default: // it is going to look anyway
	}
}

// Run delivers a Snapshot at once and another whenever something changed, one after the other, until ctx ends. A
// directory that cannot be read is said in Snapshot.Err, the first time and whenever that changes. Run returns nil.
func (f *Files) Run(ctx context.Context, deliver func(Snapshot)) error {
	w := newWatcher(f.dir, f.log)
	defer w.close()
	r := reader{files: f, watcher: w, tree: newTree()}
	look := time.NewTimer(0)
	defer look.Stop()
	var latest time.Time // by when to look at what was reported; zero: nothing was
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-w.events:
			if !w.matters(e) {
				continue
			}
		case err := <-w.errors: // an overflow, mostly: events are lost
			f.log.WarnContext(ctx, "watching resources: looking again", "dir", f.dir, "error", err)
		case <-f.kick:
		case <-look.C:
			latest = time.Time{}
			look.Reset(r.read(deliver))
			continue
		}
		if latest.IsZero() {
			latest = time.Now().Add(f.patience)
		}
		look.Reset(min(f.quiet, time.Until(latest)))
	}
}

// reader is the state of one Run.
type reader struct {
	files    *Files
	watcher  *watcher
	tree     *tree
	snapshot Snapshot
}

// read looks at the directory, delivers a Snapshot if there is reason to, and returns when to look again.
func (r *reader) read(deliver func(Snapshot)) time.Duration {
	next := r.files.poll
	r.watcher.begin()
	list, err := scanDirectory(r.files.dir, r.watcher.addDirectory)
	changed := r.snapshot.Generation == 0 || (err == nil) != (r.snapshot.Err == nil)
	r.snapshot.Err = nil
	if err != nil {
		r.snapshot.Err = fmt.Errorf("resources: %w", err)
	} else {
		updated, again := r.tree.update(append(list, r.others(list)...))
		changed = changed || updated
		if again > 0 {
			next = again
		}
	}
	if r.watcher.end() {
		next = r.files.quiet
	}
	if changed {
		r.snapshot.Generation++
		r.snapshot.Documents = r.tree.snapshot()
		deliver(r.snapshot)
	}
	if !r.watcher.complete {
		next = min(next, time.Second)
	}
	return next
}

// others lists the files that were named to Loaded and are not in the directory's list.
func (r *reader) others(list []found) []found {
	r.files.mu.Lock()
	paths := r.files.other
	r.files.mu.Unlock()
	listed := make(map[string]bool, len(list))
	if len(paths) > 0 {
		for i := range list {
			listed[list[i].path] = true
		}
	}
	var out []found
	for _, path := range paths {
		if listed[path] {
			continue
		}
		listed[path] = true
		r.watcher.addFile(path)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			out = append(out, found{path: path, info: info, other: true})
		}
	}
	return out
}
