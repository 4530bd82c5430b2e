package chart

import (
	"os"
	"os/exec"
	"testing"

	"github.com/postern-auth/postern/test/harness"
)

// TestSuites runs the suites in helm/postern/tests, which render the chart as Helm 3 does; the other tests use Helm 4.
func TestSuites(t *testing.T) {
	unittest, err := harness.HelmUnittest.Path(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), unittest, "--strict", world.chart).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
