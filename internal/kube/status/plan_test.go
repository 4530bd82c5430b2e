package status

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/postern-auth/postern/internal/kube/attach"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// text prints conditions one a line: "Accepted=False Invalid 4: message".
func text(conditions []metav1.Condition) string {
	var lines []string
	for _, c := range conditions {
		lines = append(lines, fmt.Sprintf("%s=%s %s %d: %s", c.Type, c.Status, c.Reason, c.ObservedGeneration, c.Message))
	}
	return strings.Join(lines, "\n")
}

var orders = key{v1alpha1.KindAuthPolicy, "shop", "orders"}

// loaded is a load of the policy shop/orders alone.
func loaded(generation int64, version string, errs ...*v1alpha1.Error) State {
	s := State{Objects: []Object{{
		Kind: orders.kind, Namespace: orders.namespace, Name: orders.name,
		UID: "1", Generation: generation, ResourceVersion: version,
	}}}
	for _, e := range errs {
		e.Object = orders.String()
		s.Errors = append(s.Errors, e)
	}
	return s
}

func attached(s State, targets ...attach.Target) State {
	for _, t := range targets {
		t.Policy = "shop/orders"
		s.Attach.Targets = append(s.Attach.Targets, t)
	}
	return s
}

func at(version string) versions { return versions{v1alpha1.KindAuthPolicy: version} }

func route(name string) v1alpha1.TargetReference {
	return v1alpha1.TargetReference{Group: v1alpha1.GatewayGroup, Kind: v1alpha1.KindHTTPRoute, Namespace: "shop", Name: name}
}

func TestConditions(t *testing.T) {
	invalid := func() *v1alpha1.Error {
		return &v1alpha1.Error{Field: "spec.security", Message: "is empty", Remedy: "name a scheme"}
	}
	for name, c := range map[string]struct {
		loads []State
		live  []versions
		want  string
	}{
		"in force everywhere": {
			loads: []State{loaded(4, "100")},
			live:  []versions{at("100"), at("101"), at("1000")},
			want: `Accepted=True Accepted 4: valid and in use
Programmed=True Programmed 4: every replica decides by generation 4`,
		},
		"one replica is behind, another says nothing": {
			loads: []State{loaded(4, "100")},
			live:  []versions{at("100"), at("99"), nil},
			want: `Accepted=True Accepted 4: valid and in use
Programmed=False Pending 4: 1 of 3 replicas decide by generation 4`,
		},
		"a version that only the status made is not waited for": {
			loads: []State{loaded(4, "100"), loaded(4, "105")},
			live:  []versions{at("100")},
			want: `Accepted=True Accepted 4: valid and in use
Programmed=True Programmed 4: every replica decides by generation 4`,
		},
		"invalid from the start": {
			loads: []State{loaded(1, "100", invalid())},
			live:  []versions{at("100")},
			want: `Accepted=False Invalid 1: spec.security: is empty; name a scheme
Programmed=False NotAccepted 1: no generation is in force: what it covers is denied`,
		},
		"the last good generation stays": {
			loads: []State{loaded(3, "100"), loaded(4, "101", invalid()), loaded(5, "102", invalid())},
			live:  []versions{at("102")},
			want: `Accepted=False Invalid 5: spec.security: is empty; name a scheme; generation 3 stays in force
Programmed=False NotAccepted 5: generation 3 is in force`,
		},
		"mended from outside, and waited for": {
			loads: []State{
				loaded(1, "100", &v1alpha1.Error{Message: "no such scheme", Reason: v1alpha1.ReasonSchemeNotFound}),
				func() State {
					s := loaded(1, "100")
					s.Objects = append(s.Objects, Object{Kind: v1alpha1.KindAuthScheme, Namespace: "shop", Name: "key", Generation: 1, ResourceVersion: "110"})
					return s
				}(),
			},
			live: []versions{at("100"), {v1alpha1.KindAuthPolicy: "100", v1alpha1.KindAuthScheme: "110"}},
			want: `Accepted=True Accepted 1: valid and in use
Programmed=False Pending 1: 1 of 2 replicas decide by generation 1`,
		},
		"the most severe reason wins and all are listed": {
			loads: []State{loaded(2, "100",
				&v1alpha1.Error{Field: "spec.hosts[0]", Message: "was not granted", Reason: v1alpha1.ReasonNotGranted},
				&v1alpha1.Error{Field: "spec.security[0]", Message: "no scheme x", Reason: v1alpha1.ReasonSchemeNotFound},
				&v1alpha1.Error{Field: "spec.rules[0]", Message: "is there twice", Reason: v1alpha1.ReasonConflicted},
			)},
			live: []versions{at("100")},
			want: `Accepted=False SchemeNotFound 2: spec.security[0]: no scheme x. spec.hosts[0]: was not granted. spec.rules[0]: is there twice
Programmed=False NotAccepted 2: no generation is in force: what it covers is denied`,
		},
		"in force but for a conflict": {
			loads: []State{loaded(2, "100", &v1alpha1.Error{Field: "spec.rules[0]", Message: "is there twice", Reason: v1alpha1.ReasonConflicted})},
			live:  []versions{at("100")},
			want: `Accepted=False Conflicted 2: spec.rules[0]: is there twice
Programmed=True PartiallyProgrammed 2: every replica decides by generation 2, but for what is not accepted`,
		},
		"one of two targets is missing": {
			loads: []State{attached(loaded(2, "100"),
				attach.Target{Ref: route("a"), Reason: v1alpha1.ReasonAccepted, Message: "attached"},
				attach.Target{Ref: route("b"), Reason: v1alpha1.ReasonTargetNotFound, Message: "is not there"})},
			live: []versions{at("100")},
			want: `Accepted=False TargetNotFound 2: HTTPRoute shop/b: is not there
Programmed=True PartiallyProgrammed 2: every replica decides by generation 2, but for what is not accepted
  HTTPRoute shop/a
  Accepted=True Accepted 2: attached
  HTTPRoute shop/b
  Accepted=False TargetNotFound 2: is not there`,
		},
		"attached to nothing": {
			loads: []State{attached(loaded(2, "100"), attach.Target{Ref: route("b"), Reason: v1alpha1.ReasonNotGranted, Message: "needs a grant"})},
			live:  []versions{at("100")},
			want: `Accepted=False NotGranted 2: HTTPRoute shop/b: needs a grant
Programmed=False NotAccepted 2: it is attached to none of its targets
  HTTPRoute shop/b
  Accepted=False NotGranted 2: needs a grant`,
		},
		"overridden on all of its targets": {
			loads: []State{attached(loaded(2, "100"), attach.Target{
				Ref:    v1alpha1.TargetReference{Group: v1alpha1.GatewayGroup, Kind: v1alpha1.KindGateway, Namespace: "shop", Name: "public", SectionName: "https"},
				Reason: v1alpha1.ReasonAccepted, Message: "attached", OverriddenBy: []string{"shop/a", "shop/b"}})},
			live: []versions{at("100")},
			want: `Accepted=True Accepted 2: valid and in use
Programmed=False Overridden 2: overridden by AuthPolicy shop/a, shop/b
Overridden=True Overridden 2: overridden by AuthPolicy shop/a, shop/b
  Gateway shop/public, section https
  Accepted=True Accepted 2: attached
  Overridden=True Overridden 2: overridden by AuthPolicy shop/a, shop/b`,
		},
		"overridden on one": {
			loads: []State{attached(loaded(2, "100"),
				attach.Target{Ref: route("a"), Reason: v1alpha1.ReasonAccepted, Message: "attached", OverriddenBy: []string{"shop/a"}},
				attach.Target{Ref: route("b"), Reason: v1alpha1.ReasonAccepted, Message: "attached"})},
			live: []versions{at("100")},
			want: `Accepted=True Accepted 2: valid and in use
Programmed=True Programmed 2: every replica decides by generation 2
  HTTPRoute shop/a
  Accepted=True Accepted 2: attached
  Overridden=True Overridden 2: overridden by AuthPolicy shop/a
  HTTPRoute shop/b
  Accepted=True Accepted 2: attached`,
		},
		"targets of a generation that is not accepted": {
			loads: []State{
				attached(loaded(1, "100"), attach.Target{Ref: route("a"), Reason: v1alpha1.ReasonAccepted, Message: "attached"}),
				attached(loaded(2, "101", invalid()), attach.Target{Ref: route("a"), Reason: v1alpha1.ReasonAccepted, Message: "attached"}),
			},
			live: []versions{at("101")},
			want: `Accepted=False Invalid 2: spec.security: is empty; name a scheme; generation 1 stays in force
Programmed=False NotAccepted 2: generation 1 is in force
  HTTPRoute shop/a
  Accepted=False Invalid 2: spec.security: is empty; name a scheme; generation 1 stays in force`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := &ledger{}
			for _, s := range c.loads {
				l = l.next(s)
			}
			w := makePlan(l, c.live).objects[orders]
			got := text(w.conditions)
			for _, a := range w.ancestors {
				if a.ControllerName != "postern.dev/authz" {
					t.Errorf("controller name %q", a.ControllerName)
				}
				got += "\n  " + targetName(&a.AncestorRef) + "\n  " + strings.ReplaceAll(text(a.Conditions), "\n", "\n  ")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAnotherObjectOfThatName: what was deleted and made anew starts from nothing.
func TestAnotherObjectOfThatName(t *testing.T) {
	again := loaded(1, "110", &v1alpha1.Error{Message: "is wrong"})
	again.Objects[0].UID = "2"
	l := (&ledger{}).next(loaded(7, "100")).next(again)
	if r := l.records[orders]; r.inForce != 0 || r.version != "110" {
		t.Errorf("generation %d of another object is in force, first seen at %s", r.inForce, r.version)
	}
}

// TestBounds: messages and ancestors stay within the API's bounds, and no rune is cut in two.
func TestBounds(t *testing.T) {
	s := loaded(1, "100")
	for i := range 100 {
		e := &v1alpha1.Error{Object: orders.String(), Field: fmt.Sprintf("spec.rules[%d]", i), Message: strings.Repeat("ü", 30)}
		s.Errors = append(s.Errors, e)
		s = attached(s, attach.Target{Ref: route(fmt.Sprint(i)), Reason: v1alpha1.ReasonInvalid, Message: strings.Repeat("ü", 700)})
	}
	w := makePlan((&ledger{}).next(s), nil).objects[orders]
	if len(w.ancestors) != 16 {
		t.Errorf("%d ancestors", len(w.ancestors))
	}
	for _, c := range append(w.conditions, w.ancestors[0].Conditions...) {
		if len(c.Message) > 1024 || strings.ContainsRune(c.Message, '\uFFFD') {
			t.Errorf("%d bytes: %s", len(c.Message), c.Message)
		}
	}
	if m := w.conditions[0].Message; !strings.HasSuffix(m, " more") {
		t.Errorf("what is left out is not counted: %s", m)
	}
}

// TestSeen: versions that a status made are in force where nothing else is new.
func TestSeen(t *testing.T) {
	l := (&ledger{}).next(loaded(4, "100"))
	later := loaded(4, "120").Objects
	if got := l.seen(later).inForce; !got.reached(at("120")) {
		t.Errorf("in force: %v", got)
	}
	changed := loaded(5, "120").Objects
	if got := l.seen(changed).inForce; got.reached(at("101")) {
		t.Errorf("a generation that is not loaded is in force: %v", got)
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		have, need string
		want       bool
	}{
		{"100", "100", true}, {"101", "100", true}, {"99", "100", false}, {"1000", "999", true},
		{"", "1", false}, {"x", "1", false}, {"1", "x", true}, {"x", "x", true}, {"", "", true},
	} {
		if got := at(c.have).reached(at(c.need)); got != c.want {
			t.Errorf("%q has reached %q: %t", c.have, c.need, got)
		}
	}
	if (versions)(nil).reached(at("1")) || !(versions)(nil).reached(nil) {
		t.Error("nothing in force")
	}
}
