package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func TestTemplateParams(t *testing.T) {
	for _, tc := range []struct {
		template, path string
		want           []authz.Field
	}{
		{"/orders/{id}", "/orders/42", []authz.Field{{Name: "id", Value: "42"}}},
		{"/orders/{id}", "/orders/a%20b", []authz.Field{{Name: "id", Value: "a b"}}},
		{"/{a}/x/{b}", "/1/x/2", []authz.Field{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}},
		{"/f/{rest=**}", "/f/a/b%3F", []authz.Field{{Name: "rest", Value: "a/b?"}}},
		{"/f/{rest=**}", "/f/", []authz.Field{{Name: "rest", Value: ""}}},
		{"/{a}/{rest=**}", "/x/y/z", []authz.Field{{Name: "a", Value: "x"}, {Name: "rest", Value: "y/z"}}},
	} {
		parsed, err := parseTemplate(tc.template)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, parsed.params(tc.path)); diff != "" || !parsed.match(tc.path, nil) {
			t.Errorf("%s on %s: %s", tc.template, tc.path, diff)
		}
	}
}

// A long path costs no more than the tree is deep.
func TestRouterDeepPath(t *testing.T) {
	var matches []*match
	for _, p := range []v1alpha1.PathMatch{{Prefix: "/a"}, {Template: "/{a}/{b}"}, {Template: "/a/{rest=**}"}, {Exact: "/a/a"}} {
		path, _, err := compilePath(&p)
		if err != nil {
			t.Fatal(err)
		}
		matches = append(matches, &match{path: path, rule: &rule{policy: &policy{}}, order: len(matches)})
	}
	r := newRouter(matches)
	r.index()
	long := strings.Repeat("/a", 30_000)
	if got := r.search(&probe{request: &authz.Request{}}, long, false); got == nil || got.rule != matches[2].rule {
		t.Errorf("found %v", got)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range [][2]string{
		{"/orders/{id}", "/orders/1"}, {"/{a}/{b=**}", "/x/y/z"}, {"/", "/"}, {"/{a}/", "/x/"}, {"/{", "/{"}, {"/{a=**}/b", "/x"}, {"/a%20b/{c}", "/a%20b/c"}, {"//{}", "//"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		text, err := canonicalPath(text)
		if err != nil {
			return
		}
		parsed, err := parseTemplate(text)
		if err != nil {
			return
		}
		if path, err = canonicalPath(path); err != nil {
			return
		}
		naive := (&oracle{}).pathFits(&v1alpha1.PathMatch{Template: text}, path)
		if got := parsed.match(path, nil); got != naive {
			t.Fatalf("template %q on %q: %t, naively %t", text, path, got, naive)
		}
		if !naive {
			return
		}
		// Putting what was captured back gives the path.
		back := text
		parsed.match(path, func(name, value string) {
			back = strings.Replace(strings.Replace(back, "{"+name+"}", value, 1), "{"+name+"=**}", value, 1)
		})
		if back != path && !strings.ContainsAny(path, "{}") {
			t.Fatalf("template %q captured %q from %q", text, back, path)
		}
	})
}

// FuzzRouter compares the router with trying each pattern.
func FuzzRouter(f *testing.F) {
	f.Add("e/a/b p/a t/{x}/b t/a/{x} r/a/.* t/{x=**} p/", "/a/b")
	f.Add("p/a/ p/a e/a e/a/", "/a/")
	f.Add("t/{a}/{b}/c t/{a}/b/{c} t/a/{b}/{c} t/a/{r=**}", "/a/b/c")
	f.Add("e/a%20b t/a%20b/{c} p/a%20b/", "/a%20b/c;d")
	f.Fuzz(func(t *testing.T, patterns, text string) {
		r := &authz.Request{Method: "GET", Host: "a.test", Path: text}
		if r.Canonicalize() != nil {
			return
		}
		var matches []*match
		for i, pattern := range strings.Fields(patterns) {
			m := v1alpha1.PathMatch{}
			switch text := pattern[1:]; pattern[0] {
			case 'e':
				m.Exact = text
			case 'p':
				m.Prefix = text
			case 't':
				m.Template = text
			case 'r':
				m.Regex = text
			}
			path, _, err := compilePath(&m)
			if err != nil {
				continue
			}
			one := &match{path: path, rule: &rule{policy: &policy{}}, order: i}
			matches = append(matches, one)
			if loose, differs := path.loose(); differs {
				matches = append(matches, &match{path: loose, rule: one.rule, order: i, loose: true})
			}
		}
		router := newRouter(matches)
		if len(router.all) <= few {
			router.index()
		}
		slices.SortStableFunc(matches, (*match).compare)
		p := &probe{request: r, method: r.Method}
		for _, reading := range []struct {
			path  string
			loose bool
		}{{r.Route.Path, false}, {r.Route.Loose, true}} {
			if reading.path == "" {
				continue
			}
			var want *match
			for _, m := range matches {
				if (reading.loose || !m.loose) && m.path.matches(reading.path) {
					want = m
					break
				}
			}
			for way, got := range map[string]*match{
				"find":   router.find(p, reading.path, reading.loose),
				"search": router.search(p, reading.path, reading.loose),
			} {
				if (got == nil) != (want == nil) || got != nil && (got.rule != want.rule || got.loose != want.loose) {
					t.Fatalf("%s %q of %q: got %v, want %v", way, reading.path, patterns, got, want)
				}
			}
		}
	})
}
