package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxFiles = 200_000 // files of one directory, with all below it
	maxDepth = 32      // directories within each other
)

// scan is what stands in a directory: no content, only what stat tells.
type scan struct {
	files []found
	most  int // how many there may be

	watch func(dir string) // called before a directory is listed, so that no change falls between
	seen  map[string]bool  // real paths
}

// found is one file, or what could not be looked at.
type found struct {
	path string // below the directory as the user named it
	info fs.FileInfo
	err  error // info is nil then; path may be a directory

	other bool // not for its content: whatever its name, it holds no resources
}

// scanDirectory lists root and everything below it, except what begins with a dot. Symbolic links are followed; what
// can be reached in two ways is listed once, under the path that comes first. Kubernetes mounts a ConfigMap as links to
// ..data/NAME, where ..data is a link to a directory that is swapped; its files are so listed once, and under the names
// that users know.
//
// It calls watch with the real path of every directory in which a change is worth another look, more than once perhaps.
func scanDirectory(root string, watch func(dir string)) ([]found, error) {
	s := &scan{most: maxFiles, watch: watch, seen: map[string]bool{}}
	target, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	if target, err = filepath.Abs(target); err != nil {
		return nil, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", root)
	}
	err = s.directory(root, target, 0)
	return s.files, err
}

// errTooMany stops a scan.
var errTooMany = fmt.Errorf("there are more than %d files: name a directory that holds resources only", maxFiles)

// directory lists one directory. Its error is about the whole scan, or about this directory.
func (s *scan) directory(path, target string, depth int) error {
	if s.visited(target) {
		return nil
	}
	if depth > maxDepth {
		return fmt.Errorf("directories are nested more than %d deep", maxDepth)
	}
	s.watch(target)
	entries, err := os.ReadDir(target)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		err := s.entry(filepath.Join(path, e.Name()), filepath.Join(target, e.Name()), e, depth)
		switch {
		case errors.Is(err, errTooMany):
			return err
		case err != nil:
			s.files = append(s.files, found{path: filepath.Join(path, e.Name()), err: err})
		}
	}
	return nil
}

func (s *scan) entry(path, target string, e fs.DirEntry, depth int) error {
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed a moment ago
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if target, err = filepath.EvalSymlinks(target); err == nil {
			info, err = os.Stat(target)
		}
	}
	switch {
	case err != nil:
		if !isResource(path) {
			return nil
		}
		return err
	case info.IsDir():
		return s.directory(path, target, depth+1)
	case s.visited(target):
		return nil
	case !info.Mode().IsRegular():
		if !isResource(path) {
			return nil
		}
		return errNotRegular
	case len(s.files) >= s.most:
		return errTooMany
	}
	if e.Type()&fs.ModeSymlink != 0 {
		s.watch(filepath.Dir(target))
	}
	s.files = append(s.files, found{path: path, info: info})
	return nil
}

// visited reports whether the real path was there before, and remembers it.
func (s *scan) visited(target string) bool {
	was := s.seen[target]
	s.seen[target] = true
	return was
}

func (f *found) holdsResources() bool { return !f.other && isResource(f.path) }

// isResource reports whether a file's name is that of resources.
func isResource(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	default:
		return false
	}
}
