package server

import (
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/telemetry"
)

// countRoutes counts routes by kind and namespace. The list is sorted by kind, namespace and name.
func countRoutes(coverage []policy.Coverage) []telemetry.RouteCount {
	var counts []telemetry.RouteCount
	var name string // of the route that was counted last
	var open bool   // it is uncovered
	for i := range coverage {
		r := coverage[i].Route
		last := len(counts) - 1
		if last < 0 || counts[last].Kind != r.Kind || counts[last].Namespace != r.Namespace {
			counts = append(counts, telemetry.RouteCount{Kind: r.Kind, Namespace: r.Namespace})
			last, name = last+1, ""
		}
		if r.Name != name {
			name, open = r.Name, false
			counts[last].Routes++
		}
		if !open && coverage[i].Cover == policy.CoverNone {
			open = true
			counts[last].Uncovered++
		}
	}
	return counts
}
