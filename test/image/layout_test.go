package image

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// layout is an OCI image layout (https://github.com/opencontainers/image-spec/blob/main/image-layout.md).
type layout string

type descriptor struct {
	Digest string `json:"digest"`
}

// image is what an image says of itself.
type image struct {
	digest           string
	OS, Architecture string
	Layers           []descriptor
	Config           struct {
		User       string
		Entrypoint []string
		Labels     map[string]string
	}
}

func (l layout) blob(d descriptor) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(l), "blobs", strings.ReplaceAll(d.Digest, ":", "/")))
}

func (l layout) decode(t *testing.T, d descriptor, into any) {
	t.Helper()
	f, err := l.blob(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.NewDecoder(f).Decode(into), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// manifest is of an image, or of images for several platforms.
type manifest struct {
	Manifests []descriptor
	Config    descriptor
	Layers    []descriptor
}

// images returns the images of the layout, by the platform that each says it is for.
func (l layout) images(t *testing.T) map[string]image {
	t.Helper()
	var index manifest
	text, err := os.ReadFile(filepath.Join(string(l), "index.json"))
	if err == nil {
		err = json.Unmarshal(text, &index)
	}
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]image{}
	for rest := index.Manifests; len(rest) > 0; rest = rest[1:] {
		var m manifest
		l.decode(t, rest[0], &m)
		if len(m.Manifests) > 0 {
			rest = append(rest, m.Manifests...)
			continue
		}
		img := image{digest: rest[0].Digest, Layers: m.Layers}
		l.decode(t, m.Config, &img)
		all[img.OS+"/"+img.Architecture] = img
	}
	return all
}

// extract unpacks the image below root and returns its files and links, without the directories.
func (l layout) extract(t *testing.T, img *image, root string) (files []string) {
	t.Helper()
	for _, layer := range img.Layers {
		f, err := l.blob(layer)
		if err != nil {
			t.Fatal(err)
		}
		unzipped, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		for archive := tar.NewReader(unzipped); ; {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			name := path.Clean("/" + header.Name)
			if header.Typeflag == tar.TypeDir {
				err = os.MkdirAll(filepath.Join(root, name), 0o755)
			} else {
				files = append(files, name)
				err = write(filepath.Join(root, name), header.FileInfo().Mode(), archive)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func write(name string, mode os.FileMode, text io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode.Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, text)
	return errors.Join(err, f.Close())
}
