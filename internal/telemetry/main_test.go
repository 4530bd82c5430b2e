package telemetry

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start makes a Telemetry that ends with the test.
func start(t testing.TB, o Options) *Telemetry {
	t.Helper()
	tel := New(o)
	t.Cleanup(func() {
		if err := tel.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tel
}

// series returns the family's values by "label=value,…"; labels without a value are left out.
func series(t testing.TB, tel *Telemetry, family string) map[string]float64 {
	t.Helper()
	all, err := tel.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range all {
		if f.GetName() != family {
			continue
		}
		for _, m := range f.GetMetric() {
			var names []string
			for _, l := range m.GetLabel() {
				if l.GetValue() != "" {
					names = append(names, l.GetName()+"="+l.GetValue())
				}
			}
			values[strings.Join(names, ",")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return values
}

// rules is the argument of SetRules for a list of "policy rule".
func rules(list ...string) func(yield func(policy, rule string) bool) {
	return func(yield func(policy, rule string) bool) {
		for _, entry := range list {
			policy, rule, _ := strings.Cut(entry, " ")
			if !yield(policy, rule) {
				return
			}
		}
	}
}
