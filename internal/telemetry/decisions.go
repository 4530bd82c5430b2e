package telemetry

import (
	"iter"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-auth/postern/internal/authz"
)

// maxRules is how many rules have series of their own. Each has a few, one for each reason it was decided by.
const maxRules = 5000

// other is the policy and rule of decisions that have no series of their own.
const other = "_other"

// ruleID names a rule.
type ruleID struct{ policy, rule string }

// tally counts one rule's decisions. It is empty until the first one, so that rules nobody calls cost little and have
// no series.
type tally struct {
	counts atomic.Pointer[[]atomic.Uint64]
	seen   uint64 // by which set; guarded by decisions.mu
}

// decisions counts decisions by policy, rule, decision and reason. The rules are those that set was told, so nothing
// in a request can make a new series; the map is replaced as a whole and read without a lock.
type decisions struct {
	desc  *prometheus.Desc
	max   int
	rules atomic.Pointer[map[ruleID]*tally]
	room  atomic.Int64 // how many more rules may have series

	mu    sync.Mutex // guards the changes of rules and room
	sets  uint64     // how often set was called
	none  *tally     // no policy was found
	other *tally
}

func newDecisions(most int) *decisions {
	c := &decisions{
		desc: prometheus.NewDesc("postern_decisions_total",
			"Requests decided, by the policy and rule that did and by why.",
			[]string{"policy", "rule", "decision", "reason"}, nil),
		max:   most,
		none:  newTally(),
		other: newTally(),
	}
	c.set(func(func(string, string) bool) {})
	return c
}

// reasonCount is how many reasons there are.
var reasonCount = len(authz.Reasons())

// newTally makes a tally that counts.
func newTally() *tally {
	t := &tally{}
	counts := make([]atomic.Uint64, 2*reasonCount)
	t.counts.Store(&counts)
	return t
}

// count adds one decision. Whether the request went through and why is all that the word for it depends on.
func (c *decisions) count(d *authz.Decision) {
	i := 2 * int(d.Reason)
	if d.Allowed() {
		i++
	}
	counts := *c.countsOf(d)
	if i >= len(counts) {
		i &= 1 // an unknown reason prints as the zero one
	}
	counts[i].Add(1)
}

func (c *decisions) countsOf(d *authz.Decision) *[]atomic.Uint64 {
	if d.Policy == "" {
		return c.none.counts.Load()
	}
	t := (*c.rules.Load())[ruleID{d.Policy, d.Rule}]
	if t == nil {
		return c.other.counts.Load()
	}
	if counts := t.counts.Load(); counts != nil {
		return counts
	}
	return c.begin(t)
}

// begin makes a tally count if there is room.
func (c *decisions) begin(t *tally) *[]atomic.Uint64 {
	if c.room.Load() <= 0 {
		return c.other.counts.Load()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if counts := t.counts.Load(); counts != nil {
		return counts
	}
	if c.room.Load() <= 0 {
		return c.other.counts.Load()
	}
	c.room.Add(-1)
	t.counts.Store(newTally().counts.Load())
	return t.counts.Load()
}

// set replaces the rules. Those that were there keep counting; those that are gone lose their series.
func (c *decisions) set(rules iter.Seq2[string, string]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.rules.Load()
	if old == nil {
		old = &map[ruleID]*tally{}
	} else if c.are(*old, rules) {
		return
	}
	next, room := map[ruleID]*tally{}, c.max
	add := func(id ruleID) {
		if next[id] != nil {
			return
		}
		t := (*old)[id]
		if t == nil {
			t = &tally{}
		}
		if t.counts.Load() != nil {
			room--
		}
		next[id] = t
	}
	rules(func(policy, rule string) bool {
		add(ruleID{policy, rule})
		add(ruleID{policy, ""}) // a policy in error denies as a whole
		return true
	})
	c.rules.Store(&next)
	c.room.Store(int64(room))
}

// are reports whether these are the rules that there are: most changes of a policy leave their names as they are.
func (c *decisions) are(there map[ruleID]*tally, rules iter.Seq2[string, string]) bool {
	c.sets++
	found, same := 0, true
	see := func(id ruleID) {
		t := there[id]
		if same = same && t != nil; same && t.seen != c.sets {
			t.seen = c.sets
			found++
		}
	}
	rules(func(policy, rule string) bool {
		see(ruleID{policy, rule})
		see(ruleID{policy, ""})
		return same
	})
	return same && found == len(there)
}

// Describe implements [prometheus.Collector].
func (c *decisions) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements [prometheus.Collector].
func (c *decisions) Collect(ch chan<- prometheus.Metric) {
	c.collect(ch, ruleID{}, c.none)
	c.collect(ch, ruleID{other, other}, c.other)
	for id, t := range *c.rules.Load() {
		c.collect(ch, id, t)
	}
}

func (c *decisions) collect(ch chan<- prometheus.Metric, id ruleID, t *tally) {
	counts := t.counts.Load()
	if counts == nil {
		return
	}
	for i := range *counts {
		n := (*counts)[i].Load()
		if n == 0 {
			continue
		}
		reason := authz.Reason(i / 2) // an index of authz.Reasons
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(n),
			id.policy, id.rule, verdict(reason, i%2 == 1), reason.String())
	}
}

// verdict is [authz.Decision.Verdict] of a decision that is not at hand any more.
func verdict(reason authz.Reason, allowed bool) string {
	d := authz.Decision{Reason: reason}
	if allowed {
		d = authz.Allow(reason, authz.Mutation{})
	}
	return d.Verdict()
}
