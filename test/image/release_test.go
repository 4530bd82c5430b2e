package image

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/test/harness"
)

var pinned = regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40}$`)

// TestRelease: the release workflow is YAML, its actions are pinned by commit, and no job may do more than it says.
func TestRelease(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "deploy", "release.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Permissions map[string]string
		Jobs        map[string]struct {
			Permissions map[string]string
			Steps       []struct{ Uses string }
		}
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}
	if workflow.Permissions == nil || len(workflow.Permissions) > 0 || len(workflow.Jobs) == 0 {
		t.Errorf("permissions are %v, not none, or there is no job", workflow.Permissions)
	}
	for name, job := range workflow.Jobs {
		if len(job.Permissions) == 0 {
			t.Errorf("%s does not say what it may do", name)
		}
		for _, step := range job.Steps {
			if step.Uses != "" && !pinned.MatchString(step.Uses) {
				t.Errorf("%s uses %s, which is not pinned by commit", name, step.Uses)
			}
		}
	}
}
