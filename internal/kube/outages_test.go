package kube

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestForbiddenAfterAnOutage: each kind that may not be watched is reported, also if nothing could be asked before.
func TestForbiddenAfterAnOutage(t *testing.T) {
	var reports []string
	o := newOutages(func(err error) {
		if err == nil {
			reports = append(reports, "over")
			return
		}
		reports = append(reports, err.Error())
	})
	away := errors.New("nobody answers")
	forbidden := func(kind string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: kind}, "", errors.New("no role"))
	}
	for _, kind := range []string{"apps", "secrets"} {
		o.note(kind, away)
	}
	for range 2 {
		for _, kind := range []string{"apps", "secrets"} {
			o.note(kind, forbidden(kind))
		}
	}
	for _, kind := range []string{"apps", "secrets"} {
		o.note(kind, nil)
	}
	want := []string{"nobody answers", "apps", "secrets", "over"}
	if len(reports) != len(want) {
		t.Fatalf("reported: %q", reports)
	}
	for i := range want {
		if !strings.Contains(reports[i], want[i]) {
			t.Errorf("reported %q, want %q", reports[i], want[i])
		}
	}
}
