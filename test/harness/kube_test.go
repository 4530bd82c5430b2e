package harness

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPinned(t *testing.T) {
	file := filepath.Join(t.TempDir(), "go.mod")
	const text = "module m\n\nrequire one.example/a v1.0.0\n\nrequire (\n\tk8s.io/kubernetes v1.2.3 // indirect\n)\n" +
		"replace k8s.io/kubernetes/x => k8s.io/kubernetes v9.9.9\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for module, want := range map[string]string{"one.example/a": "v1.0.0", "k8s.io/kubernetes": "v1.2.3"} {
		if got, err := pinned(file, module); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %s", module, got, err, want)
		}
	}
	if _, err := pinned(file, "k8s.io/kubernetes/x"); err == nil {
		t.Error("a module that is only replaced counts as required")
	}
}
