package cli

import (
	"strings"
	"testing"
)

// TestTablesOnlyShow prints what somebody else wrote: it moves no cursor, and makes no row or column of its own.
func TestTablesOnlyShow(t *testing.T) {
	var out strings.Builder
	s := &session{format: asText, out: &out}
	if err := s.print(nil, [][]string{{"NAME", "REASON"}, {"ci", "\x1b[2Jlost\u009b1m\tand\nfound \u202e– ü"}}); err != nil {
		t.Fatal(err)
	}
	if want := "NAME   REASON\nci     �[2Jlost�1m and found �– ü\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
