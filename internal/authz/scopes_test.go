package authz

import (
	"slices"
	"testing"
	"unsafe"
)

func TestScopes(t *testing.T) {
	s := NewScopes("b", "a", "", "b", "c d")
	if !slices.Equal(s.List(), []string{"a", "b"}) || s.String() != "a b" {
		t.Errorf("%q, %q", s.List(), s)
	}
	if !s.Has("a") || !s.Has("b") || s.Has("") || s.Has("a b") || s.Has("c") {
		t.Error("Has")
	}
	if !s.HasAll([]string{"a", "b"}) || s.HasAll([]string{"a", "c"}) || !s.HasAll(nil) {
		t.Error("HasAll")
	}
	if long := NewScopes("orders:read", "orders"); long.Has("orders:") || long.Has("read") || !NewScopes("orders:read").HasAll([]string{"orders:read"}) {
		t.Error("a part of a scope is not the scope")
	}
}

func TestOnly(t *testing.T) {
	s := NewScopes("a", "b")
	for want, names := range map[string][]string{
		"":    {"c", "a b"},
		"b":   {"b", "c", "b"},
		"a b": {"c", "b", "a"},
	} {
		if got := s.Only(names); got.String() != want {
			t.Errorf("only %q: %q; want %q", names, got, want)
		}
	}
}

func TestNoScopes(t *testing.T) {
	var none Scopes
	if none != NewScopes() || none != NewScopes("", " ") {
		t.Error("there are two empty sets")
	}
	if none.Has("") || none.Has("a") || none.String() != "" || none.List() != nil || none.Only([]string{"a", ""}) != none || NewScopes("a").Only(nil) != none {
		t.Error("the zero value is not empty")
	}
	for scope := range none.All() {
		t.Errorf("%q", scope)
	}
}

// TestScopesAreShared: a set takes memory once, however many have it.
func TestScopesAreShared(t *testing.T) {
	a, b := NewScopes("read", "write"), NewScopes("write", "read")
	if unsafe.StringData(a.String()) != unsafe.StringData(b.String()) {
		t.Error("equal sets have texts of their own")
	}
}

func TestNewScopesLeavesItsArgumentsAlone(t *testing.T) {
	names := []string{"b", "", "a"}
	NewScopes(names...)
	if !slices.Equal(names, []string{"b", "", "a"}) {
		t.Errorf("%q", names)
	}
}
