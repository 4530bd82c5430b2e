package installed

import (
	"context"
	"os/exec"
	"strings"
	"testing"
)

// TestNotes: the commands that helm prints after an installation work, one after the other.
func TestNotes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in := own(ctx, t)
	if err := in.StartControllers(ctx); err != nil {
		t.Fatal(err)
	}
	in.serve(ctx, t, "noted")
	notes, err := in.Helm(ctx, "get", "notes", release, "--namespace", system)
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for line := range strings.Lines(notes) {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			script.WriteString(command)
		}
	}
	if n := strings.Count(script.String(), "kubectl "); n != 4 {
		t.Errorf("there are %d commands, want 4", n)
	}
	cmd := exec.CommandContext(ctx, "sh", "-eux", "-c", script.String())
	cmd.Env = in.Env()
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "authpolicy.postern.dev/first condition met") {
		t.Errorf("%v:\n%s", err, out)
	}
}
