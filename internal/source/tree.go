package source

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

const (
	maxFile  = 64 << 20 // bytes of a file of resources
	maxOther = 1 << 20  // bytes up to which the content of another file is compared, and not only its time

	// clockGrain is how coarse a file system's clock may be: within it a file can change twice under one time.
	clockGrain = 2 * time.Second

	// grace is how long a file that has just been emptied keeps its objects: a shell empties a file before the command
	// that writes it has begun.
	grace = 2 * time.Second
)

// tree is what was read of a directory last.
type tree struct {
	files map[string]*file
	good  LastGood
}

// file is one file as it was read.
type file struct {
	info fs.FileInfo // nil: it could not be looked at
	at   time.Time   // when it was read
	sum  [sha256.Size]byte

	documents []v1alpha1.Document
	kept      []v1alpha1.Document // of earlier versions, since nobody can tell whether this one still has them
}

func newTree() *tree {
	return &tree{files: map[string]*file{}, good: LastGood{}}
}

func (t *tree) paths() []string { return slices.Sorted(maps.Keys(t.files)) }

// update reads what differs from what the tree holds. It reports whether anything did, and when it has to be called
// again even if nothing else happens; zero is never.
func (t *tree) update(list []found) (changed bool, again time.Duration) {
	next := make(map[string]*file, len(list))
	var suspects []found
	for _, f := range list {
		if old := t.files[f.path]; old != nil && old.is(f.info) {
			next[f.path] = old
			continue
		}
		suspects = append(suspects, f)
	}
	read := make([]*file, len(suspects))
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range suspects {
		all.Go(func() error {
			read[i] = open(f, t.files[f.path])
			return nil
		})
	}
	_ = all.Wait() // errors are in the documents
	for i, f := range suspects {
		switch old := t.files[f.path]; {
		case read[i] == nil: // removed a moment ago
		case old != nil && read[i].emptied(old):
			next[f.path], again = old, grace
		default:
			changed = changed || old == nil || !read[i].equal(old)
			next[f.path] = read[i]
		}
		if f.err != nil {
			t.keepBelow(f.path, next)
		}
	}
	changed = changed || len(next) != len(t.files)
	t.files = next
	return changed, again
}

// is reports whether the file must be the one that was read.
func (f *file) is(info fs.FileInfo) bool {
	return f.info != nil && info != nil && os.SameFile(f.info, info) && f.info.Size() == info.Size() &&
		f.info.Mode() == info.Mode() && f.info.ModTime().Equal(info.ModTime()) && f.at.Sub(info.ModTime()) > clockGrain
}

// equal reports whether the content is what it was.
func (f *file) equal(old *file) bool {
	return f.sum == old.sum && (f.info == nil) == (old.info == nil)
}

// emptied reports whether the file lost all its content a moment ago. A time that lies far ahead says nothing of that.
func (f *file) emptied(old *file) bool {
	return f.info != nil && f.sum == sha256.Sum256(nil) && len(old.documents) > 0 && f.at.Sub(f.info.ModTime()).Abs() < grace
}

// keepBelow keeps the files of a directory that can no longer be listed.
func (t *tree) keepBelow(dir string, next map[string]*file) {
	for path, f := range t.files {
		if strings.HasPrefix(path, dir+string(filepath.Separator)) {
			next[path] = f
		}
	}
}

var (
	errNotRegular = errors.New("is not a regular file")
	errTooLarge   = errors.New("is larger than 64 MiB")
)

// open reads a file. It returns nil if there is none any more.
func open(f found, old *file) *file {
	out := &file{info: f.info, at: time.Now()}
	data, err := []byte(nil), f.err
	if err == nil {
		data, err = content(f)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.err == nil:
		return nil
	case err == nil:
		out.sum = sha256.Sum256(data)
		if old != nil && out.equal(old) {
			out.documents, out.kept = old.documents, old.kept
			return out
		}
		if f.holdsResources() && !isData(f.path, data) {
			out.documents = v1alpha1.Decode(f.path, data)
		}
	case f.holdsResources() || f.err != nil:
		out.info, out.sum = nil, sha256.Sum256([]byte(err.Error()))
		out.documents = []v1alpha1.Document{unreadable(f.path, err)}
	}
	if old != nil {
		out.keep(old)
	}
	return out
}

// content returns a file's bytes, or what stands for them where the file is not one of resources.
func content(f found) ([]byte, error) {
	if !f.holdsResources() && f.info.Size() > maxOther {
		return f.info.ModTime().AppendFormat(nil, time.RFC3339Nano), nil
	}
	if f.info.Size() > maxFile {
		return nil, errTooLarge
	}
	in, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	// The documents keep what is read: no more room than it takes. It may have grown; then it is read again.
	data := make([]byte, f.info.Size())
	n, err := io.ReadFull(in, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return data[:n], err
}

// isData reports whether a JSON file says nothing of a kind: it is then something that resources refer to, a JWK Set
// say.
func isData(path string, data []byte) bool {
	var head struct {
		APIVersion json.RawMessage `json:"apiVersion"`
		Kind       json.RawMessage `json:"kind"`
	}
	return filepath.Ext(path) == ".json" && json.Unmarshal(data, &head) == nil && head.APIVersion == nil && head.Kind == nil
}

// unreadable stands for the documents of a file that cannot be read.
func unreadable(path string, err error) v1alpha1.Document {
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		err = cause.Err // the path is said already
	}
	return v1alpha1.Document{
		Origin: v1alpha1.Origin{File: path},
		Err: v1alpha1.Errors{{
			File: path, Message: "cannot be read: " + err.Error(), Remedy: "make it readable, or move it away",
		}},
	}
}

// keep carries over the objects of the version before, if this one has a part of which nobody can tell what object it is.
func (f *file) keep(old *file) {
	named, unknown := map[Key]bool{}, false
	for i := range f.documents {
		d := &f.documents[i]
		named[KeyOf(d)] = true
		unknown = unknown || !isNamed(d)
	}
	if !unknown {
		return
	}
	for _, list := range [][]v1alpha1.Document{old.documents, old.kept} {
		for i := range list {
			if isNamed(&list[i]) && !named[KeyOf(&list[i])] {
				f.kept = append(f.kept, list[i])
			}
		}
	}
}
