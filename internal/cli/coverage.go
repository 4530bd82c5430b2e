package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/server"
)

// listCoverage lists the routes of a cluster.
func (f *checkFlags) listCoverage(cmd *cobra.Command) error {
	format, err := formatOf(cmd)
	if err != nil {
		return err
	}
	cfg, err := f.cluster.read(&f.config)
	if err != nil {
		return err
	}
	inspection, err := server.Inspect(cmd.Context(), cfg, false)
	if err != nil {
		return err
	}
	defer inspection.Close()
	for _, e := range inspection.Errors {
		fmt.Fprintln(cmd.ErrOrStderr(), e)
	}
	report := newCoverageReport(inspection.Coverage())
	if format != asText {
		err = format.print(cmd.OutOrStdout(), report)
	} else if err = report.print(cmd.OutOrStdout()); err == nil {
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%d routes, %d uncovered\n", report.Total, report.Uncovered)
	}
	if err == nil && report.Uncovered > 0 {
		err = &toldError{exitFailed}
	}
	return err
}

// coverageReport is what -o json prints.
type coverageReport struct {
	Routes    []coveredRoute `json:"routes"`
	Total     int            `json:"total"`     // routes
	Uncovered int            `json:"uncovered"` // those with a rule that is
}

// coveredRoute is the rules of a route that are covered alike.
type coveredRoute struct {
	Kind      string       `json:"kind"`
	Namespace string       `json:"namespace"`
	Name      string       `json:"name"`
	Hosts     []string     `json:"hosts"`
	Rules     []int        `json:"rules"`   // by place, from 0
	OfRules   int          `json:"ofRules"` // all that the route has
	Policies  []string     `json:"policies"`
	Cover     policy.Cover `json:"cover"`
}

func newCoverageReport(coverage []policy.Coverage) *coverageReport {
	report := &coverageReport{Routes: []coveredRoute{}} // never null in JSON
	for len(coverage) > 0 {
		first := coverage[0].Route
		n := slices.IndexFunc(coverage, func(c policy.Coverage) bool { return c.Route.Object() != first.Object() })
		if n < 0 {
			n = len(coverage)
		}
		rows := coveredRoutes(coverage[:n])
		coverage = coverage[n:]
		report.Routes = append(report.Routes, rows...)
		report.Total++
		if slices.ContainsFunc(rows, func(r coveredRoute) bool { return r.Cover == policy.CoverNone }) {
			report.Uncovered++
		}
	}
	return report
}

// coveredRoutes sorts the rules of one route by what covers them.
func coveredRoutes(coverage []policy.Coverage) []coveredRoute {
	var rows []coveredRoute
	var rules []int
	for _, c := range coverage {
		i := slices.IndexFunc(rows, func(r coveredRoute) bool { return r.Cover == c.Cover && slices.Equal(r.Policies, c.Policies) })
		if i < 0 {
			i = len(rows)
			rows = append(rows, coveredRoute{
				Kind: c.Route.Kind, Namespace: c.Route.Namespace, Name: c.Route.Name,
				Policies: append([]string{}, c.Policies...), Cover: c.Cover,
			})
		}
		rows[i].Hosts = append(rows[i].Hosts, c.Route.Hosts...)
		rows[i].Rules = append(rows[i].Rules, c.Route.Rule)
		rules = append(rules, c.Route.Rule)
	}
	for i := range rows {
		rows[i].Hosts, rows[i].Rules, rows[i].OfRules = distinct(rows[i].Hosts), distinct(rows[i].Rules), len(distinct(rules))
	}
	return rows
}

// distinct returns the values sorted, each once.
func distinct[T cmp.Ordered](list []T) []T {
	list = slices.Sorted(slices.Values(list))
	return slices.Compact(list)
}

func (r *coverageReport) print(w io.Writer) error {
	if len(r.Routes) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "KIND\tROUTE\tHOSTS\tRULES\tPOLICY\tCOVER")
	for i := range r.Routes {
		one := &r.Routes[i]
		fmt.Fprintf(tw, "%s\t%s/%s\t%s\t%d of %d\t%s\t%s\n", one.Kind, one.Namespace, one.Name, shorten(one.Hosts),
			len(one.Rules), one.OfRules, cmp.Or(shorten(one.Policies), "-"), one.Cover)
	}
	return tw.Flush()
}

// shorten lists the first of many names. All of them are in the JSON.
func shorten(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ","), len(names)-most)
	}
	return strings.Join(names, ",")
}
