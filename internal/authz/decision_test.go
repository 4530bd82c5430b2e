package authz

import (
	"errors"
	"fmt"
	"testing"
)

func TestZeroDecisionDenies(t *testing.T) {
	var d Decision
	if d.Allowed() || d.Verdict() != "deny" || d.Reason.Class().HTTPStatus() != 503 || d.Shadow {
		t.Fatalf("%+v", d)
	}
}

// TestOnlyAllowAllows sets every field that can be set from outside.
func TestOnlyAllowAllows(t *testing.T) {
	for _, reason := range Reasons() {
		d := Decision{Reason: reason, Shadow: true, Principal: &Principal{Subject: "x"}}
		if d.Allowed() || d.Verdict() != "deny" {
			t.Errorf("a literal with %v allows", reason)
		}
		d = Deny(reason, nil)
		if d.Allowed() || d.Verdict() != "deny" || d.Reason.Class() == ClassAllowed {
			t.Errorf("Deny(%v) = %+v", reason, d)
		}
		if s := d.Reason.Class().HTTPStatus(); s < 400 {
			t.Errorf("Deny(%v) has status %d", reason, s)
		}
	}
}

func TestAllow(t *testing.T) {
	for _, reason := range Reasons() {
		d := Allow(reason, Mutation{Remove: []string{"x"}})
		want := "shadow_deny"
		if reason.Class() == ClassAllowed {
			want = "allow"
		}
		if !d.Allowed() || d.Verdict() != want || d.Shadow != (want == "shadow_deny") || d.Reason != reason || len(d.Mutation().Remove) != 1 {
			t.Errorf("Allow(%v) = %+v, %s", reason, d, d.Verdict())
		}
	}
}

func TestDenyKeepsDetail(t *testing.T) {
	detail := errors.New("detail")
	if d := Deny(ReasonNoRule, detail); !errors.Is(d.Err, detail) || d.Reason != ReasonNoRule {
		t.Errorf("%+v", d)
	}
	if d := Deny(ReasonAuthenticated, nil); d.Reason != ReasonInternal {
		t.Errorf("denied with %v", d.Reason)
	}
}

func TestReasonsAreClosedAndNamed(t *testing.T) {
	seen := map[string]Reason{}
	for _, r := range Reasons() {
		name := r.String()
		if name == "" {
			t.Errorf("reason %d has no name", r)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%d and %d are both %q", r, other, name)
		}
		seen[name] = r
		c := r.Class()
		if c.Code() == "" || c.Title() == "" || c.HTTPStatus() == 0 {
			t.Errorf("%v has an incomplete class", r)
		}
		if (c.GRPCStatus() == 0) != (c == ClassAllowed) {
			t.Errorf("%v has grpc-status %d", r, c.GRPCStatus())
		}
	}
	unknown, class := Reason(255), Class(255)
	if unknown.String() != "undecided" || unknown.Class().HTTPStatus() != 503 || class.HTTPStatus() != 503 || class.Code() != "unavailable" {
		t.Errorf("an unknown reason or class is %v, %d", unknown, class.HTTPStatus())
	}
}

func TestReasonOf(t *testing.T) {
	failure := Fail(ReasonKeyExpired, errors.New("detail"))
	for _, tc := range []struct {
		err  error
		want Reason
	}{
		{failure, ReasonKeyExpired},
		{fmt.Errorf("scheme: %w", failure), ReasonKeyExpired},
		{ErrNoCredential, ReasonNoCredential},
		{fmt.Errorf("scheme: %w", ErrNoCredential), ReasonNoCredential},
		{errors.New("anything"), ReasonInternal},
	} {
		if got := ReasonOf(tc.err); got != tc.want {
			t.Errorf("ReasonOf(%v) = %v; want %v", tc.err, got, tc.want)
		}
	}
}

func TestFailure(t *testing.T) {
	detail := errors.New("since yesterday")
	f := Fail(ReasonKeyExpired, detail)
	if f.Error() != "key_expired: since yesterday" || !errors.Is(f, detail) || f.Unavailable() {
		t.Errorf("%v", f)
	}
	f = Fail(ReasonStoreUnavailable, nil)
	if f.Error() != "store_unavailable" || !f.Unavailable() {
		t.Errorf("%v", f)
	}
}

func TestUnavailable(t *testing.T) {
	down := errors.New("down")
	overloaded := Fail(ReasonOverloaded, down)
	for _, tc := range []struct {
		err  error
		want Reason
	}{
		{down, ReasonStoreUnavailable},
		{overloaded, ReasonOverloaded},
		{fmt.Errorf("a store: %w", overloaded), ReasonOverloaded},
		{Fail(ReasonUnknownKey, down), ReasonStoreUnavailable}, // a store has no say in who is refused
		{ErrNoCredential, ReasonStoreUnavailable},
	} {
		if got := Unavailable(ReasonStoreUnavailable, tc.err); ReasonOf(got) != tc.want || !errors.Is(got, tc.err) {
			t.Errorf("%v becomes %v; want %v", tc.err, got, tc.want)
		}
	}
}
