package status

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/postern-auth/postern/internal/kube/attach"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// The reasons of the condition Programmed, in the words of GEP-713 where it has one.
const (
	reasonProgrammed  = "Programmed"          // every replica decides by this generation
	reasonPartly      = "PartiallyProgrammed" // and so it does, but for what Accepted says
	reasonPending     = "Pending"             // not every replica does yet
	reasonOverridden  = "Overridden"          // other policies take its place everywhere
	reasonNotAccepted = "NotAccepted"         // this generation is not in force
)

// want is what a status should say. Its conditions have no times.
type want struct {
	uid        types.UID
	conditions []metav1.Condition
	ancestors  []v1alpha1.AncestorStatus
}

// plan is what all statuses should say.
type plan struct {
	objects  map[key]want
	affected map[key][]string
}

// makePlan works out what statuses should say, where live holds what each live replica has put in force.
func makePlan(l *ledger, live []versions) *plan {
	p := &plan{objects: make(map[key]want, len(l.records)), affected: l.affected}
	for k, r := range l.records {
		p.objects[k] = r.want(k.kind, live)
	}
	return p
}

func (r *record) want(kind string, live []versions) want {
	w := want{uid: r.uid, conditions: []metav1.Condition{r.accepted(kind), r.programmed(kind, live)}}
	if by, all := overriddenBy(r.verdict.targets); all && !r.verdict.withheld {
		w.conditions = append(w.conditions, r.overridden(by))
	}
	for i := range r.verdict.targets {
		if len(w.ancestors) < mostAncestors {
			w.ancestors = append(w.ancestors, r.ancestor(&r.verdict.targets[i]))
		}
	}
	return w
}

// mostAncestors is the Gateway API's bound of status.ancestors.
const mostAncestors = 16

func (r *record) condition(kind string, holds bool, reason, message string) metav1.Condition {
	c := metav1.Condition{
		Type: kind, Status: metav1.ConditionFalse, ObservedGeneration: r.generation,
		Reason: reason, Message: cut(message, maxMessage),
	}
	if holds {
		c.Status = metav1.ConditionTrue
	}
	return c
}

func (r *record) accepted(kind string) metav1.Condition {
	v := &r.verdict
	if v.reason == v1alpha1.ReasonAccepted {
		return r.condition(v1alpha1.ConditionAccepted, true, string(v.reason), "valid and in use")
	}
	message := v.message
	if v.withheld && r.inForce > 0 {
		message = fmt.Sprintf("%s; generation %d stays in force%s", message, r.inForce, less[kind])
	}
	return r.condition(v1alpha1.ConditionAccepted, false, string(v.reason), message)
}

// nothing says what it means that no generation of an object is in force.
var nothing = map[string]string{
	v1alpha1.KindAuthScheme: "no generation is in force: policies that name it deny",
	v1alpha1.KindAuthPolicy: "no generation is in force: what it covers is denied",
	v1alpha1.KindApp:        "no generation is in force: its credentials are refused",
}

// less says what of a generation that stays in force does not.
var less = map[string]string{
	v1alpha1.KindAuthScheme: ", unless a Secret of it is gone",
	v1alpha1.KindApp:        ", less what has been turned off since",
}

func (r *record) programmed(kind string, live []versions) metav1.Condition {
	by, overridden := overriddenBy(r.verdict.targets)
	switch {
	case r.verdict.withheld && r.inForce == 0:
		return r.condition(v1alpha1.ConditionProgrammed, false, reasonNotAccepted, nothing[kind])
	case r.verdict.withheld:
		return r.condition(v1alpha1.ConditionProgrammed, false, reasonNotAccepted,
			fmt.Sprintf("generation %d is in force%s", r.inForce, less[kind]))
	case refused(r.verdict.targets):
		return r.condition(v1alpha1.ConditionProgrammed, false, reasonNotAccepted, "it is attached to none of its targets")
	case overridden:
		return r.condition(v1alpha1.ConditionProgrammed, false, reasonOverridden, overriddenMessage(by))
	}
	ready := 0
	for _, replica := range live {
		if replica.reached(r.needs) {
			ready++
		}
	}
	if ready < len(live) {
		return r.condition(v1alpha1.ConditionProgrammed, false, reasonPending,
			fmt.Sprintf("%d of %d replicas decide by generation %d", ready, len(live), r.generation))
	}
	reason, message := reasonProgrammed, fmt.Sprintf("every replica decides by generation %d", r.generation)
	if r.verdict.reason != v1alpha1.ReasonAccepted {
		reason, message = reasonPartly, message+", but for what is not accepted"
	}
	return r.condition(v1alpha1.ConditionProgrammed, true, reason, message)
}

func (r *record) overridden(by []string) metav1.Condition {
	return r.condition(v1alpha1.ConditionOverridden, true, reasonOverridden, overriddenMessage(by))
}

func (r *record) ancestor(t *attach.Target) v1alpha1.AncestorStatus {
	a := v1alpha1.AncestorStatus{AncestorRef: t.Ref, ControllerName: v1alpha1.ControllerName}
	accepted := r.condition(v1alpha1.ConditionAccepted, t.Reason == v1alpha1.ReasonAccepted, string(t.Reason), t.Message)
	if r.verdict.withheld {
		accepted = r.accepted(v1alpha1.KindAuthPolicy) // the targets are those of the generation that stays in force
	}
	a.Conditions = append(a.Conditions, accepted)
	if len(t.OverriddenBy) > 0 && !r.verdict.withheld {
		a.Conditions = append(a.Conditions, r.overridden(t.OverriddenBy))
	}
	return a
}

// refused reports whether there are targets, and the policy holds on none of them.
func refused(targets []attach.Target) bool {
	return len(targets) > 0 && !slices.ContainsFunc(targets, isAccepted)
}

func isAccepted(t attach.Target) bool { return t.Reason == v1alpha1.ReasonAccepted }

// overriddenBy returns the policies that override the policy, and whether they do so on every target where it is
// accepted.
func overriddenBy(targets []attach.Target) (by []string, everywhere bool) {
	for i := range targets {
		t := &targets[i]
		if t.Reason != v1alpha1.ReasonAccepted {
			continue
		}
		if len(t.OverriddenBy) == 0 {
			return nil, false
		}
		by = append(by, t.OverriddenBy...)
	}
	slices.Sort(by)
	return slices.Compact(by), len(by) > 0
}

func overriddenMessage(by []string) string { return "overridden by " + policyList(by) }

// policyList names a few of the policies: "AuthPolicy shop/a, shop/b and 3 more".
func policyList(names []string) string {
	const most = 8
	text := v1alpha1.KindAuthPolicy + " " + strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		text = fmt.Sprintf("%s and %d more", text, len(names)-most)
	}
	return text
}
