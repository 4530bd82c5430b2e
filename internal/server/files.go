package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// maxReferenced bounds a file that a resource names, in bytes.
const maxReferenced = 1 << 20

var (
	errNotRegular     = errors.New("is not a regular file")
	errReferencedSize = errors.New("is larger than 1 MiB")
	errNoFiles        = errors.New("an object of a cluster has no files")
)

// readFile is a file as it was when a resource that names it was compiled.
type readFile struct {
	path string
	sum  [sha256.Size]byte // of its content; of nothing if it could not be read
}

// reader reads the files that one resource names and notes which.
type reader struct {
	dir   string // of the resource's file; empty: it is of a cluster
	files []readFile
}

func newReader(o v1alpha1.Origin) *reader {
	if o.File == "" {
		return &reader{}
	}
	return &reader{dir: filepath.Dir(o.File)}
}

// read reads a file by a path relative to the resource's.
func (r *reader) read(path string) ([]byte, error) {
	if r.dir == "" {
		return nil, errNoFiles
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.dir, path)
	}
	content, err := readReferenced(path)
	r.files = append(r.files, readFile{path, sha256.Sum256(content)})
	return content, err
}

func readReferenced(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer, and with it every reload
		return nil, fmt.Errorf("%s %w", path, errNotRegular)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxReferenced+1))
	if err == nil && len(content) > maxReferenced {
		err = fmt.Errorf("%s %w", path, errReferencedSize)
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

// paths returns the files' paths, each once.
func paths(lists ...[]readFile) []string {
	var all []string
	for _, f := range slices.Concat(lists...) {
		all = append(all, f.path)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
