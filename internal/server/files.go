package server

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// maxReferenced bounds a file that a resource names, in bytes.
const maxReferenced = 1 << 20

var errReferencedSize = errors.New("the file is larger than 1 MiB")

// readFile is a file as it was when a resource that names it was compiled.
type readFile struct {
	path string
	sum  [sha256.Size]byte // of its content; of nothing if it could not be read
}

// reader reads the files that one resource names and notes which.
type reader struct {
	dir   string // of the resource's file
	files []readFile
}

func newReader(o v1alpha1.Origin) *reader { return &reader{dir: filepath.Dir(o.File)} }

// read reads a file by a path relative to the resource's.
func (r *reader) read(path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.dir, path)
	}
	content, err := readReferenced(path)
	r.files = append(r.files, readFile{path, sha256.Sum256(content)})
	return content, err
}

func readReferenced(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxReferenced+1))
	if err == nil && len(content) > maxReferenced {
		err = errReferencedSize
	}
	if err != nil {
		return nil, err
	}
	return content, nil
}

// unchanged reports whether all the files still hold what they held.
func unchanged(files []readFile) bool {
	return !slices.ContainsFunc(files, func(f readFile) bool {
		content, _ := readReferenced(f.path)
		return sha256.Sum256(content) != f.sum
	})
}

// outside returns the paths that do not lie below dir.
func outside(dir string, lists ...[]readFile) []string {
	var paths []string
	for _, list := range lists {
		for _, f := range list {
			below, err := filepath.Rel(dir, f.path)
			if err != nil || below == ".." || strings.HasPrefix(below, ".."+string(filepath.Separator)) {
				paths = append(paths, f.path)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
