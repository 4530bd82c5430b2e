package cli

import (
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/policy"
)

// printTrace prints the decision first, then how it came about.
func printTrace(w io.Writer, d *authz.Decision, t *policy.Trace, note string) error {
	class := d.Reason.Class()
	switch {
	case d.Allowed() && !d.Shadow:
		fmt.Fprintf(w, "ALLOW (%s)\n", d.Reason)
	case d.Allowed():
		fmt.Fprintf(w, "ALLOW, in Shadow mode; Enforce would answer %d (%s)\n", class.HTTPStatus(), d.Reason)
	default:
		fmt.Fprintf(w, "DENY %d (%s)\n", class.HTTPStatus(), d.Reason)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	if t.Decision.Detail != "" {
		row("why", "%s", t.Decision.Detail)
	}
	if note != "" {
		row("but", "%s", note)
	}
	row("request", "%s %s%s", t.Method, t.Host, t.Path)
	if t.Route != "" {
		how := "named by Envoy"
		if t.RouteMatch != "" {
			how = "by " + t.RouteMatch
		}
		row("route", "%s, %s", t.Route, how)
	}
	if t.Policy != "" {
		row("policy", "%s, found by %s", t.Policy, t.FoundBy)
		row("rule", "%s", strings.TrimSpace(t.Rule+"  "+t.Match))
	}
	for _, p := range t.Params {
		row("param", "%s = %s", p.Name, p.Value)
	}
	printAlternatives(row, t)
	for _, c := range t.Conditions {
		row("condition", "%s: %s", c.Condition, outcome(c.Held, c.Reason, c.Detail))
	}
	for _, h := range t.Decision.Set {
		row("sets", "%s: %s", h.Name, h.Value)
	}
	if names := t.Decision.Remove; len(names) > 0 {
		row("removes", "%s", strings.Join(names, ", "))
	}
	if names := t.Decision.RemoveParams; len(names) > 0 {
		row("removes", "query parameters %s", strings.Join(names, ", "))
	}
	for _, c := range t.Decision.Challenges {
		row("challenge", "%s", c)
	}
	for _, o := range t.Others {
		row("not", "%s %s  %s: %s", o.Policy, o.Rule, o.Match, o.Why)
	}
	if t.OthersLeft > 0 {
		row("not", "%d more", t.OthersLeft)
	}
	return tw.Flush()
}

func printAlternatives(row func(name, format string, args ...any), t *policy.Trace) {
	if s := t.Ambiguous; s != nil {
		row("scheme", "%s: %s", s.Scheme, outcome(false, s.Reason, s.Detail))
	}
	for i, a := range t.Alternatives {
		name := fmt.Sprintf("alternative %d", i+1)
		if len(a.Schemes) == 0 {
			row(name, "anonymous: %s", outcome(a.Held, a.Reason, ""))
		}
		for _, s := range a.Schemes {
			text := s.Outcome
			if s.Reason != "" {
				text = outcome(false, s.Reason, s.Detail)
			}
			if len(s.Lacking) > 0 {
				text += ", lacks the scopes " + strings.Join(s.Lacking, " ")
			}
			row(name, "%s: %s", s.Scheme, text)
			name = "  and"
		}
	}
}

// outcome puts a verdict, its reason and its detail in one phrase; the detail often begins with the reason.
func outcome(held bool, reason, detail string) string {
	switch {
	case held:
		return "held"
	case detail == "" || detail == reason:
		return reason
	case strings.HasPrefix(detail, reason):
		return detail
	default:
		return reason + ": " + detail
	}
}

// explained yields each scheme with the text that it expected to be signed, once.
func explained(t *policy.Trace) iter.Seq2[string, string] {
	return func(yield func(scheme, text string) bool) {
		seen := map[string]bool{}
		for _, a := range t.Alternatives {
			for _, s := range a.Schemes {
				if s.Explanation == "" || seen[s.Scheme] {
					continue
				}
				seen[s.Scheme] = true
				if !yield(s.Scheme, s.Explanation) {
					return
				}
			}
		}
	}
}

// compareAll compares the client's text with every text that was expected.
func compareAll(t *policy.Trace, theirs string) []comparison {
	var all []comparison
	for scheme, text := range explained(t) {
		all = append(all, compare(scheme, theirs, text))
	}
	return all
}

// printTexts prints what was expected to be signed, and how the client's text compares, in the same order.
func printTexts(w io.Writer, t *policy.Trace, compared []comparison) {
	for scheme, text := range explained(t) {
		fmt.Fprintf(w, "\n%s expected this text to be signed:\n%s", scheme, numbered(text))
		if len(compared) > 0 {
			fmt.Fprintln(w, compared[0])
			compared = compared[1:]
		}
	}
}
