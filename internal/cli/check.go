package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/server"
)

// checkFlags are check's own flags.
type checkFlags struct {
	requestFlags
	config configFlags

	source, policy, rule, route string
	signedText                  string
	coverage                    bool
	cluster                     clusterFlags
}

func newCheck() *cobra.Command {
	f := &checkFlags{}
	cmd := &cobra.Command{
		Use:   "check URL",
		Short: "Decide one request without a server, and explain",
		Long: `Decides one request by the resources as the server would, and says which policy, rule and alternative decided and why
the others did not. Describe the request as for curl. Remote key sets are fetched; nothing is sent to the URL.

It knows the keys of declared Apps only, and asks no keystore.database: an SQLite one belongs to its server, and the password
of a PostgreSQL one is there. A key of it is unknown here, also where the server would let it in; with -c the answer says
so, and postern keys show says how such a key stands.

Where a signature does not verify, the text that was expected to be signed is shown, never a secret. With the text that
the client's own code signed in a file, --signed-text names the first line that differs.

With --kubernetes or --kubeconfig it reads a cluster once instead of a directory, and writes nothing. There --route decides
the request as one through an HTTPRoute or GRPCRoute, which Envoy Gateway's route metadata would name.

With --coverage, and no URL, it reads the cluster of these flags or of the configuration, and lists the routes of the
Gateway API that a Gateway serves: under which policy, and how. A rule is attached if a policy is attached to it, its
route, or their Gateway; host if none is, and the policies that name the route's hosts have a rule without a condition on
each, so that some rule fits whatever comes; denied if it is refused for an error, which is listed too. All else is
uncovered, and its requests are refused. Read access is all that is needed.

What is wrong with the resources is listed on standard error. Exit codes: 0 allowed, 1 denied, 2 bad usage, or the resources
cannot be read; with --coverage 0 all routes are covered, 1 some are not, or the cluster cannot be read.`,
		Example: `  postern check --resources ./policies -H 'X-API-Key: pk_…' https://orders.example.com/orders/1
  postern check -c postern.yaml -X POST -d @order.json -H "Authorization: Bearer $TOKEN" https://orders.example.com/orders
  postern check --resources ./policies --source 10.1.2.3 -o json https://orders.example.com/
  postern check --resources ./policies --signed-text client.txt -H 'Signature-Input: …' -H 'Signature: …' \
    https://orders.example.com/orders/1
  postern check --kubernetes --route HTTPRoute/shop/orders -H 'X-API-Key: pk_…' https://orders.example.com/orders/1
  postern check --coverage --kubeconfig ~/.kube/config`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.coverage {
				return noArgs(cmd, args)
			}
			return oneArg("the URL")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.coverage {
				return f.listCoverage(cmd)
			}
			return f.run(cmd, args[0])
		},
	}
	f.add(cmd)
	f.config.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.source, "source", "127.0.0.1", "address of the peer that Envoy would report")
	flags.StringVar(&f.policy, "policy", "", "policy that the route names in context_extensions, as namespace/name")
	flags.StringVar(&f.rule, "rule", "", "rule that the route names, with --policy")
	flags.StringVar(&f.route, "route", "", "route of the Gateway API that the request came through, as HTTPRoute/namespace/name or, for one of its\n"+
		"rules, HTTPRoute/namespace/name/section; in a cluster")
	addSignedText(cmd, &f.signedText)
	flags.BoolVar(&f.coverage, "coverage", false, "list the routes of a cluster and the policies that cover them")
	f.cluster.add(cmd)
	return cmd
}

func (f *checkFlags) run(cmd *cobra.Command, rawURL string) error {
	format, err := formatOf(cmd)
	if err != nil {
		return err
	}
	r, err := f.request(cmd, rawURL)
	if err != nil {
		return err
	}
	theirs, err := readSignedText(f.signedText)
	if err != nil {
		return err
	}
	var cfg *config.Config
	if f.cluster.named() || f.route != "" {
		cfg, err = f.cluster.read(&f.config)
	} else {
		cfg, err = f.config.read()
	}
	if err != nil {
		return err
	}
	inspection, err := server.Inspect(cmd.Context(), cfg, true)
	if err != nil {
		return &usageError{err}
	}
	defer inspection.Close()
	for _, e := range inspection.Errors {
		fmt.Fprintln(cmd.ErrOrStderr(), e)
	}
	decision, trace := inspection.Explain(cmd.Context(), r)
	var compared []comparison
	if f.signedText != "" {
		if compared = compareAll(trace, theirs); len(compared) == 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: compared with nothing, since no signature was refused for what it signs\n", f.signedText)
		}
	}
	out := cmd.OutOrStdout()
	if format != asText {
		err = format.print(out, struct {
			*policy.Trace
			Compared []comparison `json:"compared,omitempty"`
			Note     string       `json:"note,omitempty"`
		}{trace, compared, further(cfg, trace)})
	} else if err = printTrace(out, &decision, trace, further(cfg, trace)); err == nil {
		printTexts(out, trace, compared)
	}
	if err == nil && !decision.Allowed() {
		err = &toldError{exitFailed}
	}
	return err
}

// further says of an unknown key that a server would look further.
func further(cfg *config.Config, t *policy.Trace) string {
	unknown := func(s policy.TriedScheme) bool { return s.Reason == authz.ReasonUnknownKey.String() }
	found := func(a policy.TriedAlternative) bool { return slices.ContainsFunc(a.Schemes, unknown) }
	if cfg.KeyStore.Database == nil || !slices.ContainsFunc(t.Alternatives, found) {
		return ""
	}
	return "keystore.database is not asked here, and may have the key that is unknown; see: postern keys show"
}

// request is what Envoy would hand over.
func (f *checkFlags) request(cmd *cobra.Command, rawURL string) (*authz.Request, error) {
	q, err := f.read(cmd, rawURL)
	if err != nil {
		return nil, err
	}
	r := q.request()
	if _, err := netip.ParseAddr(f.source); err != nil {
		return nil, usagef("--source %q: must be an IP address", f.source)
	}
	r.Source.Address = f.source
	if f.policy == "" && f.rule != "" {
		return nil, usagef("--rule needs --policy: a route that names a rule names its policy too")
	}
	for _, x := range []authz.Field{{Name: "postern.dev/policy", Value: f.policy}, {Name: "postern.dev/rule", Value: f.rule}} {
		if x.Value != "" {
			r.ContextExtensions = append(r.ContextExtensions, x)
		}
	}
	if f.route != "" {
		parts := strings.Split(f.route, "/")
		if len(parts) < 3 || len(parts) > 4 || slices.Contains(parts, "") {
			return nil, usagef("--route %q: write it as HTTPRoute/namespace/name, or HTTPRoute/namespace/name/section", f.route)
		}
		r.RouteMetadata = policy.RouteMetadata(parts[0], parts[1], parts[2], strings.Join(parts[3:], ""))
	}
	return r, nil
}
