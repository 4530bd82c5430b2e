package authz

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMutation(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*Mutation)
		want Mutation
	}{
		{"set", func(m *Mutation) { m.SetHeader("a", "1") }, Mutation{Set: headers("a", "1")}},
		{"set twice", func(m *Mutation) { m.SetHeader("a", "1"); m.SetHeader("b", "2"); m.SetHeader("a", "3") }, Mutation{Set: headers("a", "3", "b", "2")}},
		{"remove twice", func(m *Mutation) { m.RemoveHeader("a"); m.RemoveHeader("b"); m.RemoveHeader("a") }, Mutation{Remove: []string{"a", "b"}}},
		{"remove then set", func(m *Mutation) { m.RemoveHeader("a"); m.RemoveHeader("b"); m.SetHeader("a", "1") }, Mutation{Set: headers("a", "1"), Remove: []string{"b"}}},
		{"set then remove", func(m *Mutation) { m.SetHeader("a", "1"); m.RemoveHeader("a") }, Mutation{Set: headers("a", "1")}},
		{"parameters", func(m *Mutation) { m.RemoveParam("a"); m.RemoveParam("A"); m.RemoveParam("a") }, Mutation{RemoveParams: []string{"a", "A"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var m Mutation
			tc.do(&m)
			if diff := cmp.Diff(tc.want, m); diff != "" {
				t.Error(diff)
			}
		})
	}
}
