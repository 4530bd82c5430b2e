package v1alpha1_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

var update = flag.Bool("update", false, "write what Decode says into the expectations of testdata")

// eachCase runs f with every file of testdata/dir: its input, and the expected output under the name given.
func eachCase(t *testing.T, dir, expectation string, f func(t *testing.T, in []byte) (got string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/%s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(archive.Files) != 2 || archive.Files[0].Name != "in.yaml" || archive.Files[1].Name != expectation {
				t.Fatalf("a case consists of in.yaml and %s", expectation)
			}
			got := f(t, archive.Files[0].Data)
			if *update {
				archive.Files[1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// object returns the one object of a good document.
func object(d v1alpha1.Document) any {
	switch {
	case d.Scheme != nil && d.Policy == nil && d.App == nil:
		return d.Scheme
	case d.Policy != nil && d.Scheme == nil && d.App == nil:
		return d.Policy
	case d.App != nil && d.Scheme == nil && d.Policy == nil:
		return d.App.Read()
	default:
		return nil
	}
}

// TestValid compares what is decoded, defaults included. An object printed with its defaults reads back as itself.
func TestValid(t *testing.T) {
	eachCase(t, "valid", "out.yaml", func(t *testing.T, in []byte) string {
		var out strings.Builder
		for i, d := range v1alpha1.Decode("in.yaml", in) {
			if d.Err != nil {
				t.Fatal(d.Err)
			}
			text, err := yaml.Marshal(object(d))
			if err != nil {
				t.Fatal(err)
			}
			again := v1alpha1.Decode("out.yaml", text)
			if len(again) != 1 || again[0].Err != nil {
				t.Fatalf("does not read back: %+v", again)
			}
			if diff := cmp.Diff(object(d), object(again[0])); diff != "" {
				t.Errorf("reads back differently: %s", diff)
			}
			if i > 0 {
				out.WriteString("---\n")
			}
			out.Write(text)
		}
		return out.String()
	})
}

// TestInvalid compares everything that is said about broken documents.
func TestInvalid(t *testing.T) {
	eachCase(t, "invalid", "errors", func(t *testing.T, in []byte) string {
		var out strings.Builder
		for _, d := range v1alpha1.Decode("in.yaml", in) {
			if d.Err == nil {
				continue
			}
			if d.Scheme != nil || d.App != nil {
				t.Errorf("a broken %s is handed out", d.Object())
			}
			var all v1alpha1.Errors
			if !errors.As(d.Err, &all) {
				t.Fatalf("%T is not an Errors", d.Err)
			}
			for _, e := range all {
				if e.Line == 0 || e.Message == "" || e.Remedy == "" {
					t.Errorf("an error lacks its line, message or remedy: %+v", e)
				}
			}
			out.WriteString(d.Err.Error() + "\n")
		}
		if out.Len() == 0 {
			t.Error("no error")
		}
		return out.String()
	})
}
