package telemetry

import (
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Health is whether Postern can answer, and with all it needs. The zero value is not ready: it waits for Started.
type Health struct {
	mu      sync.Mutex
	started bool
	unready map[string]string // component → why
	reduced map[string]string
}

// Condition is one thing that is not as it should be.
type Condition struct {
	Component string `json:"component"`
	Reason    string `json:"reason"`
}

// Started says that everything a first answer needs is there.
func (h *Health) Started() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.started = true
}

// Unready says that a component keeps Postern from answering, and why.
func (h *Health) Unready(component, why string) { h.set(&h.unready, &h.reduced, component, why) }

// Degraded says that a component works with less than it needs, and why. Postern stays ready.
func (h *Health) Degraded(component, why string) { h.set(&h.reduced, &h.unready, component, why) }

// OK says that a component is as it should be.
func (h *Health) OK(component string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.unready, component)
	delete(h.reduced, component)
}

func (h *Health) set(to, from *map[string]string, component, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(*from, component)
	if *to == nil {
		*to = map[string]string{}
	}
	(*to)[component] = why
}

// Unreadiness returns why Postern is not ready, by component; empty when it is.
func (h *Health) Unreadiness() []Condition {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := conditions(h.unready)
	if !h.started && len(list) == 0 {
		list = []Condition{{Component: "startup", Reason: "the first load has not finished"}}
	}
	return list
}

// Degradation returns what works with less than it needs, by component.
func (h *Health) Degradation() []Condition {
	h.mu.Lock()
	defer h.mu.Unlock()
	return conditions(h.reduced)
}

func conditions(m map[string]string) []Condition {
	list := make([]Condition, 0, len(m))
	for component, why := range m {
		list = append(list, Condition{component, why})
	}
	slices.SortFunc(list, func(a, b Condition) int { return strings.Compare(a.Component, b.Component) })
	return list
}

var (
	readyDesc    = prometheus.NewDesc("postern_ready", "1 while Postern is ready to answer.", nil, nil)
	degradedDesc = prometheus.NewDesc("postern_degraded", "1 while something works with less than it needs; /readyz names it.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (*Health) Describe(ch chan<- *prometheus.Desc) {
	ch <- readyDesc
	ch <- degradedDesc
}

// Collect implements [prometheus.Collector].
func (h *Health) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, oneIf(len(h.Unreadiness()) == 0))
	ch <- prometheus.MustNewConstMetric(degradedDesc, prometheus.GaugeValue, oneIf(len(h.Degradation()) > 0))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
