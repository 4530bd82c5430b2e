package v1alpha1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	yaml "go.yaml.in/yaml/v3"
)

// FuzzParseRun: parsing documents together is the same as parsing each by itself.
func FuzzParseRun(f *testing.F) {
	f.Add([]byte("a: 1\n---\nb: [x, {c: d}]\n--- # c\n- |\n  text\n"))
	f.Add([]byte("a\n---\n'b'\n...\nc\n---\nd: *x\n"))
	f.Add([]byte("# one\na: 1\n# two\n---\n\n# three\nb: 2 # four\n...\n# five\nc: 3\n"))
	f.Add([]byte("a\r---\rb\u2028---\u2028c\r\n--- >\r\n d\r\n"))
	f.Add([]byte("a\u2028---\u2028b\n--- >\n---\n&c d\n---\n*c\n"))
	f.Add([]byte("%YAML 1.2\n---\na\n---\n{a: 1}\n{b: 2}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parts := split(data)
		if len(parts) == 0 || invalidUTF8(data) >= 0 {
			return
		}
		ignore := cmpopts.IgnoreFields(yaml.Node{}, "HeadComment", "LineComment", "FootComment")
		for i, got := range parseRun(data, parts) {
			if got == nil {
				continue
			}
			want, err := parse(data[parts[i].begin:parts[i].end])
			if err != nil {
				t.Fatalf("document %d is read in a run, and alone it is refused: %v", i, err)
			}
			if diff := cmp.Diff(want, got, ignore); diff != "" {
				t.Fatalf("document %d: -alone +in a run:\n%s", i, diff)
			}
		}
	})
}
