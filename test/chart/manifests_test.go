package chart

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestManifests: `kubectl apply -k deploy/manifests` installs everything at once, as its file says, and again changes nothing.
func TestManifests(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := world.cluster
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
