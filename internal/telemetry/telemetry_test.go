package telemetry

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/postern-auth/postern/internal/authz"
)

// fixed answers every check alike.
type fixed authz.Decision

func (f fixed) Check(context.Context, *authz.Request) authz.Decision { return authz.Decision(f) }

func decided(reason authz.Reason, policy, rule string) authz.Decision {
	d := authz.Deny(reason, nil)
	if reason.Class() == authz.ClassAllowed {
		d = authz.Allow(reason, authz.Mutation{})
	}
	d.Policy, d.Rule = policy, rule
	return d
}

func TestDecisionsAreCounted(t *testing.T) {
	tel := start(t, Options{})
	tel.SetRules(rules("shop/orders read", "shop/orders write", "shop/idle all"))
	shadow := authz.Allow(authz.ReasonUnknownKey, authz.Mutation{})
	shadow.Policy, shadow.Rule = "shop/orders", "write"
	forged := authz.Decision{Reason: authz.ReasonAuthenticated, Policy: "shop/orders", Rule: "read"} // never allowed
	for _, d := range []authz.Decision{
		decided(authz.ReasonAuthenticated, "shop/orders", "read"),
		decided(authz.ReasonAuthenticated, "shop/orders", "read"),
		decided(authz.ReasonNoCredential, "shop/orders", "read"),
		shadow, forged,
		decided(authz.ReasonNoRule, "shop/orders", ""),
		decided(authz.ReasonNoPolicy, "", ""),
		decided(authz.ReasonNoPolicy, "named/by-a-route", ""),
		decided(authz.ReasonAuthenticated, "shop/orders", "removed"),
		{},
		{Reason: authz.Reason(255)},
	} {
		got := tel.Checker(fixed(d)).Check(t.Context(), &authz.Request{})
		if diff := cmp.Diff(fmt.Sprintf("%+v", d), fmt.Sprintf("%+v", got)); diff != "" {
			t.Errorf("the decorator changed the decision: %s", diff)
		}
	}
	want := map[string]float64{
		"decision=allow,policy=shop/orders,reason=authenticated,rule=read":      2,
		"decision=deny,policy=shop/orders,reason=no_credential,rule=read":       1,
		"decision=deny,policy=shop/orders,reason=authenticated,rule=read":       1,
		"decision=shadow_deny,policy=shop/orders,reason=unknown_key,rule=write": 1,
		"decision=deny,policy=shop/orders,reason=no_rule":                       1,
		"decision=deny,reason=no_policy":                                        1,
		"decision=deny,policy=_other,reason=no_policy,rule=_other":              1,
		"decision=allow,policy=_other,reason=authenticated,rule=_other":         1,
		"decision=deny,reason=undecided":                                        2,
	}
	if diff := cmp.Diff(want, series(t, tel, "postern_decisions_total")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRefused(t *testing.T) {
	tel := start(t, Options{})
	d := authz.Deny(authz.ReasonMalformedRequest, nil)
	tel.Refused(&authz.Request{Now: time.Now()}, &d)
	want := map[string]float64{"decision=deny,reason=malformed_request": 1}
	if diff := cmp.Diff(want, series(t, tel, "postern_decisions_total")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRemovedRulesLoseTheirSeries(t *testing.T) {
	tel := start(t, Options{})
	observe := func(policy string) {
		d := decided(authz.ReasonNoCredential, policy, "all")
		tel.Observe(&authz.Request{}, &d, 0)
	}
	tel.SetRules(rules("a/kept all", "a/removed all"))
	observe("a/kept")
	observe("a/removed")
	tel.SetRules(rules("a/kept all", "a/new all"))
	observe("a/kept")
	observe("a/removed") // a check that began before the reload
	observe("a/new")
	want := map[string]float64{
		"decision=deny,policy=a/kept,reason=no_credential,rule=all":    2,
		"decision=deny,policy=a/new,reason=no_credential,rule=all":     1,
		"decision=deny,policy=_other,reason=no_credential,rule=_other": 1,
	}
	if diff := cmp.Diff(want, series(t, tel, "postern_decisions_total")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestSeriesAreBounded(t *testing.T) {
	c := newDecisions(10)
	names := func(from, to int) (list []string) {
		for i := from; i < to; i++ {
			list = append(list, "p/"+strconv.Itoa(i)+" r")
		}
		return list
	}
	decide := func(from, to int) {
		for i := from; i < to; i++ {
			d := decided(authz.ReasonNoCredential, "p/"+strconv.Itoa(i), "r")
			c.count(&d)
		}
	}
	c.set(rules(names(0, 100)...))
	decide(0, 100)
	if got := testutil.CollectAndCount(c); got != 11 { // and _other
		t.Errorf("%d series, want 11", got)
	}
	c.set(rules(names(0, 100)...)) // the same again
	if got := testutil.CollectAndCount(c); got != 11 {
		t.Errorf("after a reload that changes nothing: %d series, want 11", got)
	}
	c.set(rules(names(5, 100)...)) // half of the ten are gone
	decide(50, 100)
	if got := testutil.CollectAndCount(c); got != 11 {
		t.Errorf("after a reload: %d series, want 11", got)
	}
}

// TestCountsAddUp counts from many goroutines while the rules change: nothing is counted twice, and of rules that stay
// nothing is lost.
func TestCountsAddUp(t *testing.T) {
	const callers, checks = 8, 2000
	tel := start(t, Options{})
	tel.SetRules(rules("a/stays r"))
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			d := decided(authz.ReasonAuthenticated, "a/stays", "r")
			for range checks {
				tel.Observe(&authz.Request{}, &d, time.Microsecond)
			}
		})
	}
	for i := range 50 {
		tel.SetRules(rules("a/stays r", "a/"+strconv.Itoa(i)+" r"))
	}
	wg.Wait()
	got := series(t, tel, "postern_decisions_total")["decision=allow,policy=a/stays,reason=authenticated,rule=r"]
	if got != callers*checks {
		t.Errorf("%v counted, want %d", got, callers*checks)
	}
}

func TestReloads(t *testing.T) {
	tel := start(t, Options{})
	tel.Reloaded(Reload{Failed: true, Errors: 1})
	if got := series(t, tel, "postern_last_reload_success_timestamp_seconds")[""]; got != 0 {
		t.Errorf("a failure set the time of success to %v", got)
	}
	tel.Reloaded(Reload{
		Resources: []ResourceCount{{"App", ResourceActive, 3}, {"AuthScheme", ResourceActive, 1}},
		Routes:    []RouteCount{{"HTTPRoute", "shop", 5, 1}, {"HTTPRoute", "gone", 1, 1}},
	})
	if got := series(t, tel, "postern_last_reload_success_timestamp_seconds")[""]; got == 0 {
		t.Error("a success did not set its time")
	}
	tel.Reloaded(Reload{Errors: 2, Resources: []ResourceCount{
		{"App", ResourceActive, 2}, {"App", ResourceLastGood, 1}, {"AuthPolicy", ResourceInvalid, 1},
	}, Routes: []RouteCount{{"HTTPRoute", "shop", 4, 0}, {"GRPCRoute", "shop", 2, 2}}})
	tel.Reloaded(Reload{Failed: true, Errors: 4}) // keeps what is in force
	for family, want := range map[string]map[string]float64{
		"postern_reload_total":    {"result=success": 1, "result=partial": 1, "result=failure": 2},
		"postern_resource_errors": {"": 4},
		"postern_resources": {
			"kind=App,state=active": 2, "kind=App,state=last_good": 1, "kind=AuthPolicy,state=invalid": 1,
		},
		"postern_routes":           {"kind=HTTPRoute,route_namespace=shop": 4, "kind=GRPCRoute,route_namespace=shop": 2},
		"postern_routes_uncovered": {"kind=HTTPRoute,route_namespace=shop": 0, "kind=GRPCRoute,route_namespace=shop": 2},
	} {
		if diff := cmp.Diff(want, series(t, tel, family)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", family, diff)
		}
	}
}

func TestRegisteredFigures(t *testing.T) {
	tel := start(t, Options{Version: "v1.2.3", Commit: "abc"})
	tel.RegisterCache("tokens", func() CacheStats { return CacheStats{1, 2, 3, 4, 5} })
	tel.RegisterReplay(func() ReplayStats { return ReplayStats{6, 7, 8, 9} })
	at := time.Date(2026, 11, 21, 12, 0, 0, 500e6, time.UTC)
	tel.RegisterKeySets(func() []KeySetStats {
		return []KeySetStats{
			{Source: "https://a/jwks", Keys: 2, LastSuccess: at, Fetches: 3, Failures: 1},
			{Source: "https://a/jwks", Keys: 9},
			{Source: "https://b/jwks"},
		}
	})
	tel.RegisterPanics(func() uint64 { return 10 })
	tel.RegisterStatuses(func() StatusStats { return StatusStats{Leader: true, Written: 11, Conflicts: 12, Failures: 13} })
	tel.Health.Started()
	tel.Health.Degraded("keys", "unreachable")
	for family, want := range map[string]map[string]float64{
		"postern_cache_hits_total":    {"cache=tokens": 1},
		"postern_cache_misses_total":  {"cache=tokens": 2},
		"postern_cache_dropped_total": {"cache=tokens": 3},
		"postern_cache_bytes":         {"cache=tokens": 4},
		"postern_cache_max_bytes":     {"cache=tokens": 5},
		"postern_keyset_keys":         {"source=https://a/jwks": 2, "source=https://b/jwks": 0},
		"postern_keyset_last_fetch_success_timestamp_seconds": {
			"source=https://a/jwks": float64(at.Unix()) + 0.5, "source=https://b/jwks": 0,
		},
		"postern_keyset_fetches_total":        {"source=https://a/jwks": 3, "source=https://b/jwks": 0},
		"postern_keyset_fetch_failures_total": {"source=https://a/jwks": 1, "source=https://b/jwks": 0},
		"postern_replay_entries":              {"": 6},
		"postern_replay_max_entries":          {"": 7},
		"postern_replay_repeats_total":        {"": 8},
		"postern_replay_refused_total":        {"": 9},
		"postern_panics_total":                {"": 10},
		"postern_leader":                      {"": 1},
		"postern_status_writes_total":         {"result=success": 11, "result=conflict": 12, "result=failure": 13},
		"postern_ready":                       {"": 1},
		"postern_degraded":                    {"": 1},
	} {
		if diff := cmp.Diff(want, series(t, tel, family)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", family, diff)
		}
	}
}

// TestNamesFollowTheConventions runs the checks of promtool.
func TestNamesFollowTheConventions(t *testing.T) {
	tel := start(t, Options{Version: "v1.2.3"})
	tel.RegisterCache("tokens", func() CacheStats { return CacheStats{} })
	tel.RegisterKeySets(func() []KeySetStats { return []KeySetStats{{Source: "a"}} })
	tel.RegisterReplay(func() ReplayStats { return ReplayStats{} })
	tel.RegisterPanics(func() uint64 { return 0 })
	tel.RegisterStatuses(func() StatusStats { return StatusStats{} })
	tel.Reloaded(Reload{Resources: []ResourceCount{{"App", ResourceActive, 1}}, Routes: []RouteCount{{"HTTPRoute", "shop", 1, 0}}})
	d := decided(authz.ReasonNoPolicy, "", "")
	tel.Observe(&authz.Request{}, &d, time.Millisecond)
	problems, err := testutil.GatherAndLint(tel.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func BenchmarkObserve(b *testing.B) {
	tel := start(b, Options{})
	tel.SetRules(rules("shop/orders read"))
	d, r := decided(authz.ReasonAuthenticated, "shop/orders", "read"), &authz.Request{}
	check := tel.Checker(fixed(d))
	b.ReportAllocs()
	for b.Loop() {
		check.Check(b.Context(), r)
	}
}
