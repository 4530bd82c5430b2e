package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
)

// ResourceState says what became of a resource.
type ResourceState string

// The states.
const (
	ResourceActive   ResourceState = "active"    // in force as it was last written
	ResourceLastGood ResourceState = "last_good" // in error: an earlier version is in force
	ResourceInvalid  ResourceState = "invalid"   // in error, and there is no earlier version
)

// ResourceCount is how many resources of a kind are in a state.
type ResourceCount struct {
	Kind  string // AuthScheme, AuthPolicy, App
	State ResourceState
	Count int
}

// RouteCount is how many HTTPRoutes or GRPCRoutes of a namespace a listener serves.
type RouteCount struct {
	Kind, Namespace string

	Routes    int
	Uncovered int // those of them with a rule that no policy covers
}

// Reload is the outcome of reading the resources.
type Reload struct {
	Failed    bool // nothing could be read: what was in force stays
	Errors    int  // how many errors were found in the resources
	Resources []ResourceCount
	Routes    []RouteCount
}

// reloads is what is known of the resources.
type reloads struct {
	total     *prometheus.CounterVec
	succeeded prometheus.Gauge
	resources *prometheus.GaugeVec
	errors    prometheus.Gauge
	routes    *prometheus.GaugeVec
	uncovered *prometheus.GaugeVec
}

func newReloads() reloads {
	r := reloads{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_reload_total",
			Help: "Times the resources were read: success, partial (some are in error), failure (none could be read).",
		}, []string{"result"}),
		succeeded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "postern_last_reload_success_timestamp_seconds",
			Help: "When the resources were last read without any error.",
		}),
		resources: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "postern_resources",
			Help: "Resources by kind and state: active, last_good (in error, an earlier version is in force), invalid.",
		}, []string{"kind", "state"}),
		errors: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "postern_resource_errors",
			Help: "Errors in the resources as they were last read.",
		}),
		routes: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "postern_routes",
			Help: "HTTPRoutes and GRPCRoutes that a Gateway serves.",
		}, []string{"kind", "route_namespace"}),
		uncovered: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "postern_routes_uncovered",
			Help: "Routes with a rule that no policy covers; its requests are refused. `postern check --coverage` lists them.",
		}, []string{"kind", "route_namespace"}),
	}
	for _, result := range []string{"success", "partial", "failure"} {
		r.total.WithLabelValues(result)
	}
	return r
}

// Reloaded notes the outcome of reading the resources.
func (t *Telemetry) Reloaded(r Reload) {
	t.reloads.errors.Set(float64(r.Errors))
	if r.Failed {
		t.reloads.total.WithLabelValues("failure").Inc()
		return
	}
	t.reloads.resources.Reset()
	for _, c := range r.Resources {
		t.reloads.resources.WithLabelValues(c.Kind, string(c.State)).Add(float64(c.Count))
	}
	t.reloads.routes.Reset()
	t.reloads.uncovered.Reset()
	for _, c := range r.Routes {
		t.reloads.routes.WithLabelValues(c.Kind, c.Namespace).Set(float64(c.Routes))
		t.reloads.uncovered.WithLabelValues(c.Kind, c.Namespace).Set(float64(c.Uncovered))
	}
	if r.Errors > 0 {
		t.reloads.total.WithLabelValues("partial").Inc()
		return
	}
	t.reloads.total.WithLabelValues("success").Inc()
	t.reloads.succeeded.SetToCurrentTime()
}
