package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp wants each command to show an example of itself.
func TestHelp(t *testing.T) {
	seen := 0
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
		if cmd.HasSubCommands() {
			return
		}
		seen++
		if cmd.Short == "" || !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s: its help shows no example of it", cmd.CommandPath())
		}
	}
	visit(newRoot(Build{}))
	if seen < 30 {
		t.Errorf("only %d commands were seen", seen)
	}
}
