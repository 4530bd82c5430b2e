// Package telemetry is the operators' view: what was decided, how long it took, and how Postern is doing.
//
//	Telemetry.Checker   decorates whoever decides: counts, times and logs each decision
//	Telemetry.Refused   does the same for denials made before anybody was asked
//	Telemetry.SetRules  says which policies and rules exist: only these become labels
//	Telemetry.Register… lets the figures of other packages be read when Prometheus scrapes
//	Health              is why Postern is not ready, or works with less than all it needs
//	Ops                 serves /healthz, /readyz and /metrics on a listener of its own
//	NewLogger           makes the logger of everything else
//
// On the path of a check there is one look-up in a map that nobody writes to, two atomic additions and, for decisions
// that are logged, a line of JSON handed to a writer that is never waited for.
//
// Nothing a client sends becomes a label. The decision log holds method, host and path, and no header, query, cookie or
// body.
package telemetry

import (
	"context"
	"io"
	"iter"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/postern-auth/postern/internal/authz"
)

// Options says what to log and what to call this program. The zero value logs no decision.
type Options struct {
	Version, Commit string // of the program

	DecisionLog  io.Writer // where decisions are logged, one line of JSON each; nil: nowhere
	Denials      bool      // log what was denied, or would have been by a policy in Shadow mode
	SampleAllows float64   // the share of allowed requests to log, 0 to 1
}

// Telemetry gathers what operators want to know. It is safe for concurrent use.
type Telemetry struct {
	Health Health

	registry  *prometheus.Registry
	decisions *decisions
	duration  prometheus.Histogram
	reloads   reloads
	stats     *stats
	log       *decisionLog // nil: none
}

// New makes a Telemetry with a registry of its own. Close it to write out the decision log.
func New(o Options) *Telemetry {
	t := &Telemetry{
		registry:  prometheus.NewRegistry(),
		decisions: newDecisions(maxRules),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "postern_check_duration_seconds",
			Help:    "Time to decide one request, from the decoded request to the decision.",
			Buckets: durations,
		}),
		reloads: newReloads(),
		stats:   &stats{},
	}
	dropped := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "postern_decision_log_dropped_total",
		Help: "Lines of the decision log that were lost because the log could not be written fast enough, or at all.",
	})
	if o.DecisionLog != nil {
		t.log = newDecisionLog(o, dropped)
	}
	t.registry.MustRegister(
		t.decisions, t.duration, dropped, t.stats, &t.Health, buildInfo(o),
		t.reloads.total, t.reloads.succeeded, t.reloads.resources, t.reloads.errors,
		t.reloads.routes, t.reloads.uncovered,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return t
}

// durations are the histogram's buckets in seconds: from a cached key to past the deadline.
var durations = []float64{
	5e-6, 10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 150e-3, 250e-3,
}

func buildInfo(o Options) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "postern_build_info",
		Help:        "What was built; the value is 1.",
		ConstLabels: prometheus.Labels{"version": o.Version, "commit": o.Commit, "go": runtime.Version()},
	})
	info.Set(1)
	return info
}

// Close writes out the decision log, for as long as ctx allows. Decisions made after it are counted, not logged.
func (t *Telemetry) Close(ctx context.Context) error {
	if t.log == nil {
		return nil
	}
	return t.log.close(ctx)
}

// Checker is whoever decides; the same as extauthz's.
type Checker interface {
	Check(ctx context.Context, r *authz.Request) authz.Decision
}

// Checker decorates next so that every decision is observed. It changes none.
func (t *Telemetry) Checker(next Checker) Checker { return observed{t, next} }

type observed struct {
	t    *Telemetry
	next Checker
}

// Check implements [Checker].
func (o observed) Check(ctx context.Context, r *authz.Request) authz.Decision {
	start := time.Now()
	d := o.next.Check(ctx, r)
	o.t.Observe(r, &d, time.Since(start))
	return d
}

// Observe counts, times and logs a decision. It keeps nothing of r and d.
func (t *Telemetry) Observe(r *authz.Request, d *authz.Decision, took time.Duration) {
	t.decisions.count(d)
	t.duration.Observe(took.Seconds())
	if t.log != nil {
		t.log.record(r, d, took)
	}
}

// Refused observes a denial that no Checker made, of a request that could not be decoded say.
func (t *Telemetry) Refused(r *authz.Request, d *authz.Decision) { t.Observe(r, d, time.Since(r.Now)) }

// SetRules says which rules exist, each as a policy ("namespace/name") and the name of one of its rules. Decisions of
// others, of those removed say, count as policy "_other". Call it before the rules come into force.
func (t *Telemetry) SetRules(rules iter.Seq2[string, string]) {
	t.decisions.set(rules)
}
