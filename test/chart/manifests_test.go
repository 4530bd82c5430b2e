package chart

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// TestManifests: `kubectl apply -k deploy/manifests` installs everything at once, as its file says, and again changes
// nothing. The cluster is its own: what is installed would meet what other tests have the API server look at.
func TestManifests(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := harness.StartCluster(ctx, t.TempDir(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	apply := func() {
		t.Helper()
		out, err := c.Kubectl(ctx, "apply", "--server-side", "--validate=strict", "-k", filepath.Join(world.root, "deploy", "manifests"))
		if err != nil {
			t.Fatal(err)
		}
		if applied := strings.Count(out, "serverside-applied"); applied == 0 || applied != strings.Count(out, "\n") {
			t.Errorf("not all is applied:\n%s", out)
		}
	}
	installed := func() string {
		t.Helper()
		out, err := c.Kubectl(ctx, "get", "crd/authschemes.postern.dev", "crd/authpolicies.postern.dev", "crd/apps.postern.dev",
			"deployment/postern", "service/postern", "configmap/postern", "poddisruptionbudget/postern", "clusterrole/postern-system-postern",
			"--namespace", namespace, "-o", "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{\"\\n\"}{end}")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	apply()
	once := installed()
	apply()
	if again := installed(); again != once {
		t.Errorf("another time it changes something:\n%s\nwas\n%s", again, once)
	}
}
