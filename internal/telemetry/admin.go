package telemetry

import "github.com/prometheus/client_golang/prometheus"

// RegisterAdmin counts calls of the admin API. It returns what is told of each: its method and the code of its answer,
// of which there must be few. It is called once at most.
func (t *Telemetry) RegisterAdmin() (observe func(method, code string)) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_admin_requests_total",
		Help: "Calls of the admin API by method and code of the answer. A caller that is not known has the code unauthenticated, or resource_exhausted after too many attempts.",
	}, []string{"method", "code"})
	t.registry.MustRegister(requests)
	return func(method, code string) { requests.WithLabelValues(method, code).Inc() }
}
