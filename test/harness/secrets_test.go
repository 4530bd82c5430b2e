package harness

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestSecretsAreFound in every form, also in files; and nothing is found where there is none.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	const secret = "kanarienvogel\x00\xff"
	secrets := Secrets{"the bird": secret, "another": "sparrows-and-others"}
	dir := t.TempDir()
	contents := []string{
		"as it is: " + secret, fmt.Sprintf("%x", "a"+secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%d", []byte("a"+secret+"b")),
		"KANARIENVOGEL\x00\xff, SPARROWS-AND-OTHERS",
	}
	for before := range 4 {
		text := []byte("12345"[:before] + secret + "and more")
		contents = append(contents, base64.StdEncoding.EncodeToString(text), base64.URLEncoding.EncodeToString(text))
	}
	for i, content := range contents {
		if secrets.In([]byte(content)) == "" {
			t.Errorf("no secret in %q", content)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const harmless = "a marker, and kanarienvoge"
	if found := secrets.In([]byte(harmless)); found != "" {
		t.Errorf("a secret in %q: %s", harmless, found)
	}
	if err := os.WriteFile(filepath.Join(dir, "harmless"), []byte(harmless), 0o600); err != nil {
		t.Fatal(err)
	}
	found, marked, err := secrets.InFiles(dir, "marker")
	if len(found) != len(contents) || marked != 1 || err != nil {
		t.Errorf("%d files with secrets, %d marked (%v): %q", len(found), marked, err, found)
	}
}
