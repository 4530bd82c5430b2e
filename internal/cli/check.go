package cli

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/server"
)

func newCheck() *cobra.Command {
	var (
		f            requestFlags
		file, dir    string
		source       string
		policy, rule string
	)
	cmd := &cobra.Command{
		Use:   "check URL",
		Short: "Decide one request without a server, and explain",
		Long: `Decides one request by the resources as the server would, and says which policy, rule and alternative decided and why
the others did not. Describe the request as for curl. Remote key sets are fetched; nothing is sent to the URL.

What is wrong with the resources is listed on standard error. Exit codes: 0 allowed, 1 denied, 2 bad usage.`,
		Example: `  postern check --resources ./policies -H 'X-API-Key: pk_…' https://orders.example.com/orders/1
  postern check -c postern.yaml -X POST -d @order.json -H "Authorization: Bearer $TOKEN" https://orders.example.com/orders
  postern check --resources ./policies --source 10.1.2.3 -o json https://orders.example.com/`,
		Args: oneArg("the URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := wantsJSON(cmd)
			if err != nil {
				return err
			}
			cfg, err := readConfig(file)
			if err != nil {
				return err
			}
			if dir != "" {
				cfg.Resources.Dir = dir
			}
			q, err := f.read(cmd, args[0])
			if err != nil {
				return err
			}
			r := q.request(args[0])
			if _, err := netip.ParseAddr(source); err != nil {
				return usagef("--source %q: must be an IP address", source)
			}
			r.Source.Address = source
			if policy != "" {
				r.ContextExtensions = append(r.ContextExtensions, authz.Field{Name: "postern.dev/policy", Value: policy})
			}
			if rule != "" {
				r.ContextExtensions = append(r.ContextExtensions, authz.Field{Name: "postern.dev/rule", Value: rule})
			}
			inspection, err := server.Inspect(cfg, true)
			if err != nil {
				return &usageError{err}
			}
			defer inspection.Close()
			for _, e := range inspection.Errors {
				fmt.Fprintln(cmd.ErrOrStderr(), e)
			}
			decision, trace := inspection.Explain(cmd.Context(), r)
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), trace)
			} else {
				err = printTrace(cmd.OutOrStdout(), &decision, trace)
			}
			if err == nil && !decision.Allowed() {
				err = &toldError{exitFailed}
			}
			return err
		},
	}
	f.add(cmd)
	addConfigFlag(cmd, &file)
	flags := cmd.Flags()
	flags.StringVar(&dir, "resources", "", "directory of resources; overrides resources.dir")
	flags.StringVar(&source, "source", "127.0.0.1", "address of the peer that Envoy would report")
	flags.StringVar(&policy, "policy", "", "policy that the route names in context_extensions, as namespace/name")
	flags.StringVar(&rule, "rule", "", "rule that the route names, with --policy")
	_ = cmd.MarkFlagDirname("resources")
	return cmd
}

// printTrace prints the decision first, then how it came about.
func printTrace(w io.Writer, d *authz.Decision, t *policy.Trace) error {
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
	row("request", "%s %s%s", t.Method, t.Host, t.Path)
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
