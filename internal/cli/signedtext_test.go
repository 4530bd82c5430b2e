package cli

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFirstDifference(t *testing.T) {
	long := strings.Repeat("é", 200)
	for _, tc := range []struct{ name, yours, ours, want string }{
		{"same", "a\nb", "a\nb", ""},
		{"both empty", "", "", ""},
		{"another value", "GET\n*/*\ndate: Tue\nx", "GET\n*/*\ndate: Wed\nx", `line 3: yours "date: Tue" ours "date: Wed"`},
		{"last line", "a\nb", "a\nc", `line 2: yours "b" ours "c"`},
		{"empty line", "a\n\nb", "a\nx\nb", `line 2: yours "" ours "x"`},
		{"quotes", `"@method": GET`, `"@method": PUT`, "line 1: yours `\"@method\": GET` ours `\"@method\": PUT`"},
		{"yours is the beginning", "a\n", "a\nb", `line 2: yours "" ours "b"; yours has ended before it`},
		{"ours is the beginning", "a\nb", "a\n", `line 2: yours "b" ours ""; ours has ended before it`},
		{"yours is empty", "", "a", `line 1: yours "" ours "a"; yours has ended before it`},
		{"beginning of a line", "a\nbc", "a\nbcd", `line 2: yours "bc" ours "bcd"`},
		{"no newline in yours", "a\nb", "a\nb\n", `line 2: yours "b" ours "b\n"; ours has a newline at the end, yours has none`},
		{"no newline in ours", "a\nb\n", "a\nb", `line 2: yours "b\n" ours "b"; yours has a newline at the end, ours has none`},
		{"carriage returns", "a\r\nb\r\n", "a\nb\n", `line 1: yours "a\r" ours "a"; yours ends the line with \r`},
		{"carriage return at the end", "a\r\n", "a", `line 1: yours "a\r\n" ours "a"; yours ends the line with \r`},
		{"only carriage returns", "a\rb", "a\nb", `line 1: yours "a\rb" ours "a\n"`},
		{"spaces", "date:  Tue", "date: Tue", `line 1: yours "date:  Tue" ours "date: Tue"; they differ in white space`},
		{"final space", "a \nb", "a\nb", `line 1: yours "a " ours "a"; they differ in white space`},
		{"tab", "a\tb", "a b", `line 1: yours "a\tb" ours "a b"; they differ in white space`},
		{"space that is none", "a\u00a0b", "a b", `line 1: yours "a\u00a0b" ours "a b"; they differ in white space`},
		{"byte order mark", "\ufeffGET", "GET", `line 1: yours "\ufeffGET" ours "GET"`},
		{"case", "HOST: a", "host: a", `line 1: yours "HOST: a" ours "host: a"; they differ in upper and lower case`},
		{"not UTF-8", "a\xff", "a\xfe", `line 1: yours "a\xff" ours "a\xfe"`},
		{"escape", "\x1b[31m", `\x1b[31m`, `line 1: yours "\x1b[31m" ours "\\x1b[31m"`},
		{
			"long line", long + "x" + long, long + "y" + long,
			`line 1, byte 401: yours …"` + strings.Repeat("é", 20) + "x" + strings.Repeat("é", 60) +
				`"… ours …"` + strings.Repeat("é", 20) + "y" + strings.Repeat("é", 60) + `"…`,
		},
		{
			"long and short", long, "é", `line 1, byte 3: yours "` + strings.Repeat("é", 80) + `"… ours "é"`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ""
			if d := firstDifference(tc.yours, tc.ours); d != nil {
				got = d.String()
			}
			if got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestFirstDifferenceIsTheFirst holds for any two texts: what stands before the line is the same, the lines are not, and
// there is no difference only between equal texts.
func TestFirstDifferenceIsTheFirst(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("ab \r\n")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		yours, ours := text.Draw(t, "yours"), text.Draw(t, "ours")
		d := firstDifference(yours, ours)
		if d == nil {
			if yours != ours {
				t.Fatal("no difference")
			}
			return
		}
		before := func(s string) string {
			return strings.Join(strings.SplitAfter(s, "\n")[:d.Line-1], "")
		}
		same := before(ours)
		if before(yours) != same || d.Yours == d.Ours ||
			!strings.HasPrefix(yours, same+d.Yours) || !strings.HasPrefix(ours, same+d.Ours) {
			t.Fatalf("%q and %q: %+v", yours, ours, *d)
		}
		_ = d.String()
	})
}

func TestNumbered(t *testing.T) {
	for text, want := range map[string]string{
		"":            "",
		"a":           "    1  a\n",
		"a\n":         "    1  a\\n\n",
		"a\n\nb: \"c": "    1  a\n    2  \n    3  b: \"c\n",
		"\x1b\r\nx\n": "    1  \\x1b\\r\n    2  x\\n\n",
	} {
		if got := numbered(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
