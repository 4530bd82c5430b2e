package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// words is the vocabulary, as CONTRIBUTING.md has it.
var words = []string{
	"request", "scheme", "credential", "authenticator", "principal", "app", "key", "digest", "requirement", "policy",
	"rule", "set", "decision", "reason", "challenge", "mutation",
}

// TestWordsAreNamesOfFiles: whoever looks for what a word means finds it by the name of a folder or a file.
func TestWordsAreNamesOfFiles(t *testing.T) {
	named := map[string]bool{}
	for _, f := range goFiles(t) {
		if strings.HasPrefix(f.pkg, "internal/") && !f.test {
			named[filepath.Base(f.pkg)] = true
			named[strings.TrimSuffix(strings.TrimSuffix(filepath.Base(f.path), ".go"), "_types")] = true
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "The vocabulary is fixed: ")
	list, _, _ = strings.Cut(list, ".")
	if got, want := strings.ToLower(strings.Join(strings.Fields(list), " ")), strings.Join(words, ", "); got != want {
		t.Errorf("CONTRIBUTING.md lists %q, want %q", got, want)
	}
	for _, word := range words {
		if !named[word] {
			t.Errorf("no folder or file below internal is named %s", word)
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noSlug  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestLinksLeadSomewhere follows the links of every document that stay in the repository, down to headings.
func TestLinksLeadSomewhere(t *testing.T) {
	followed := 0
	for _, document := range tracked(t) {
		if filepath.Ext(document) != ".md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, document))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			followed++
			path, anchor, _ := strings.Cut(m[1], "#")
			target := filepath.Join(root, document)
			if path != "" {
				target = filepath.Join(root, filepath.Dir(document), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: (%s) leads nowhere", document, m[1])
			} else if anchor != "" && !hasHeading(t, target, anchor) {
				t.Errorf("%s: (%s): there is no such heading", document, m[1])
			}
		}
	}
	if followed == 0 {
		t.Error("no document has a link")
	}
}

// hasHeading reports whether a document has a heading that GitHub gives the anchor.
func hasHeading(t *testing.T, document, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
		if strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}
