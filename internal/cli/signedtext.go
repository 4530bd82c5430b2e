package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// addSignedText adds --signed-text.
func addSignedText(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "signed-text", "", "file with the text that the client's own code says it signed, to the byte "+
		"(of aws-sigv4 the canonical request); names the first line that differs from ours")
	_ = cmd.MarkFlagFilename("signed-text")
}

// readSignedText returns what the client signed, nothing if no file is named.
func readSignedText(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("--signed-text: %w", err)
	}
	return string(text), nil
}

// comparison is what came of comparing the client's text with ours.
type comparison struct {
	Scheme string `json:"scheme,omitempty"` // whose text ours is
	Part   string `json:"part,omitempty"`   // of ours, where yours is not meant to be the whole
	Same   bool   `json:"same"`
	*difference
}

// compare compares whole texts. Clients of AWS Signature Version 4 log two texts, of which the second holds only a hash of
// the first, the canonical request; ours holds all of that, after three lines. So that is what a text without them is.
func compare(scheme, yours, ours string) comparison {
	const sigV4 = "AWS4-HMAC-SHA256\n"
	c := comparison{Scheme: scheme}
	if strings.HasPrefix(ours, sigV4) && !strings.HasPrefix(yours, sigV4) {
		c.Part = "canonical request"
		for range 3 {
			_, ours = cutLine(ours)
		}
	}
	c.difference = firstDifference(yours, ours)
	c.Same = c.difference == nil
	return c
}

func (c comparison) String() string {
	text := "the texts are the same: if the signature does not verify, the key, the algorithm or the encoding is another"
	if !c.Same {
		text = c.difference.String()
	}
	if c.Part != "" {
		return c.Part + ": " + text
	}
	return text
}

// difference is the first line in which the client's text differs from ours. Lines are whole, with the line's end; an
// empty one stands where the text has ended.
type difference struct {
	Line  int    `json:"line"` // 1 is the first
	Yours string `json:"yours"`
	Ours  string `json:"ours"`
	Note  string `json:"note,omitempty"`
}

func firstDifference(yours, ours string) *difference {
	for line := 1; ; line++ {
		var a, b string
		a, yours = cutLine(yours)
		b, ours = cutLine(ours)
		if a != b {
			return &difference{Line: line, Yours: a, Ours: b, Note: note(a, b)}
		}
		if a == "" {
			return nil
		}
	}
}

// cutLine returns the first line with its end, and the rest.
func cutLine(text string) (line, rest string) {
	end := strings.IndexByte(text, '\n') + 1
	if end == 0 {
		end = len(text)
	}
	return text[:end], text[end:]
}

// note says in words what is hard to see.
func note(yours, ours string) string {
	line := func(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }
	spaceless := func(s string) string { return strings.Join(strings.Fields(s), "") }
	switch {
	case yours == "":
		return "yours has ended before it"
	case ours == "":
		return "ours has ended before it"
	case line(yours) == line(ours) && strings.HasSuffix(strings.TrimSuffix(yours, "\n"), "\r"):
		return `yours ends the line with \r`
	case line(yours) == line(ours) && strings.HasSuffix(yours, "\n"):
		return "yours has a newline at the end, ours has none"
	case line(yours) == line(ours):
		return "ours has a newline at the end, yours has none"
	case spaceless(yours) == spaceless(ours):
		return "they differ in white space"
	case utf8.ValidString(yours) && strings.EqualFold(yours, ours):
		return "they differ in upper and lower case"
	default:
		return ""
	}
}

// longestShown is how much of a line is shown, in bytes: a body is often one long line.
const longestShown = 160

// String shows both lines with what is invisible in them made visible.
func (d *difference) String() string {
	yours, ours := d.Yours, d.Ours
	if strings.HasSuffix(yours, "\n") && strings.HasSuffix(ours, "\n") {
		yours, ours = strings.TrimSuffix(yours, "\n"), strings.TrimSuffix(ours, "\n")
	}
	text := fmt.Sprintf("line %d", d.Line)
	at := 0
	if max(len(yours), len(ours)) > longestShown {
		for at < min(len(yours), len(ours)) && yours[at] == ours[at] {
			at++
		}
		text += fmt.Sprintf(", byte %d", at+1)
	}
	text += fmt.Sprintf(": yours %s ours %s", excerpt(yours, at), excerpt(ours, at))
	if d.Note != "" {
		text += "; " + d.Note
	}
	return text
}

// excerpt quotes the line, or what stands around a place in it where it is long.
func excerpt(line string, at int) string {
	from, to := 0, len(line)
	before, after := "", ""
	if len(line) > longestShown {
		from = max(0, min(at, len(line))-longestShown/4)
		to = min(len(line), from+longestShown)
	}
	for from > 0 && !utf8.RuneStart(line[from]) {
		from--
	}
	for to < len(line) && !utf8.RuneStart(line[to]) {
		to++
	}
	if from > 0 {
		before = "…"
	}
	if to < len(line) {
		after = "…"
	}
	quote := `"`
	if strings.Contains(line[from:to], quote) {
		quote = "`"
	}
	return before + quote + visible(line[from:to]) + quote + after
}

// visible writes control characters, backslashes, and spaces that are none, as in a Go string.
func visible(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// numbered shows the text with the numbers of its lines. Where it ends with a newline, that is shown.
func numbered(text string) string {
	var b strings.Builder
	for n := 1; text != ""; n++ {
		var line string
		if line, text = cutLine(text); text != "" {
			line = strings.TrimSuffix(line, "\n")
		}
		fmt.Fprintf(&b, "%5d  %s\n", n, visible(line))
	}
	return b.String()
}
