package authz

import (
	"slices"
	"testing"
)

func TestScopes(t *testing.T) {
	s := NewScopes("b", "a", "", "b")
	if !slices.Equal(s.List(), []string{"a", "b"}) || s.String() != "a b" {
		t.Errorf("%q, %q", s.List(), s)
	}
	if !s.Has("a") || s.Has("") || s.Has("a b") || !s.HasAll([]string{"a", "b"}) || s.HasAll([]string{"a", "c"}) || !s.HasAll(nil) {
		t.Error("Has or HasAll")
	}
	if both := s.Intersect(NewScopes("b", "c")); both.String() != "b" {
		t.Errorf("%q", both)
	}
	var none Scopes
	if none.Has("a") || none.String() != "" || len(none.Intersect(s).List()) != 0 || len(s.Intersect(none).List()) != 0 {
		t.Error("the zero value is not empty")
	}
}

func TestNewScopesLeavesItsArgumentsAlone(t *testing.T) {
	names := []string{"b", "", "a"}
	NewScopes(names...)
	if !slices.Equal(names, []string{"b", "", "a"}) {
		t.Errorf("%q", names)
	}
}
