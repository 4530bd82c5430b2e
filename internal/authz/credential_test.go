package authz

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStrip(t *testing.T) {
	for _, tc := range []struct {
		name    string
		headers []Header
		query   string
		want    Mutation
	}{
		{"header", headers("x-api-key", "k1"), "", Mutation{Remove: []string{"x-api-key"}}},
		{"prefixed header", headers("authorization", "appcode k1"), "", Mutation{Remove: []string{"authorization"}}},
		{"not another scheme's header", headers("x-api-key", "k1", "authorization", "Bearer x"), "", Mutation{Remove: []string{"x-api-key"}}},
		{"query, as spelled", nil, "api%5Fkey=k1&api_key=k1&a=b&api%5Fkey=k1", Mutation{RemoveParams: []string{"api%5Fkey", "api_key"}}},
		{"only cookie", headers("cookie", "api_key=k1"), "", Mutation{Remove: []string{"cookie"}}},
		{"cookie among others", headers("cookie", "a=b;api_key=k1 ;  flag; =v; c=d,e"), "", Mutation{Set: headers("cookie", "a=b; flag; =v; c=d,e")}},
		{"cookie over fields", headers("cookie", "a=b", "cookie", "api_key=k1", "cookie", "c=d"), "", Mutation{Set: headers("cookie", "a=b; c=d")}},
		{
			"everywhere", headers("x-api-key", "k1", "authorization", "APPCODE k1", "cookie", "api_key=k1; a=b"), "api_key=k1",
			Mutation{Set: headers("cookie", "a=b"), Remove: []string{"x-api-key", "authorization"}, RemoveParams: []string{"api_key"}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &Request{Headers: tc.headers, Query: tc.query}
			c, err := NewLocations(places, false).Find(r)
			if err != nil {
				t.Fatal(err)
			}
			var m Mutation
			c.Strip(r, &m)
			c.Strip(r, &m) // once more changes nothing
			if diff := cmp.Diff(tc.want, m); diff != "" {
				t.Error(diff)
			}
			c, _ = NewLocations(places, true).Find(r)
			m = Mutation{}
			c.Strip(r, &m)
			if diff := cmp.Diff(Mutation{}, m); diff != "" {
				t.Errorf("a forwarded credential is stripped: %s", diff)
			}
		})
	}
}

// TestStripSeveralCookies drops the cookies of several schemes, in every order and more than once.
func TestStripSeveralCookies(t *testing.T) {
	for _, tc := range []struct{ drop, want string }{
		{"a", "b=2; c=3"},
		{"a b", "c=3"},
		{"b a", "c=3"},
		{"a b a", "c=3"},
		{"c b a", ""},
		{"a b c a", ""},
		{"a b c b c", ""},
	} {
		r := &Request{Headers: headers("cookie", "a=1; b=2", "cookie", "c=3")}
		var m Mutation
		for name := range strings.FieldsSeq(tc.drop) {
			c, err := NewLocations([]Location{{Cookie: name}}, false).Find(r)
			if err != nil {
				t.Fatal(err)
			}
			c.Strip(r, &m)
		}
		want := Mutation{Set: headers("cookie", tc.want), Remove: []string{}}
		if tc.want == "" {
			want = Mutation{Set: []Header{}, Remove: []string{"cookie"}}
		}
		if diff := cmp.Diff(want, m, cmp.Transformer("len", func(s []string) string { return strings.Join(s, ",") })); diff != "" {
			t.Errorf("dropping %s: %s", tc.drop, diff)
		}
	}
}
