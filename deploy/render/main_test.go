package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-auth/postern/test/harness"
)

// TestUpToDate: what is derived from the chart is what the chart says now.
func TestUpToDate(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := render(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(root, path))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from the chart (%v): run 'make generate' and commit the result", path, err)
		}
	}
}
