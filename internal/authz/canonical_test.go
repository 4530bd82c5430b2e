package authz

import (
	"errors"
	"strings"
	"testing"
)

func TestCanonicalPath(t *testing.T) {
	for _, tc := range []struct {
		in, want, loose string // loose "" where it equals want
	}{
		{"", "/", ""},
		{"/", "/", ""},
		{"/a", "/a", ""},
		{"/a/", "/a/", ""},
		{"/a/b", "/a/b", ""},
		{"/%41%7e%2D%5f%2E0", "/A~-_.0", ""},
		{"/a%20b", "/a%20b", "/a b"},
		{"/%e4%bd%a0", "/%E4%BD%A0", "/你"},
		{"/caf%e9", "/caf%E9", "/caf\xe9"},
		{"/a%3fb", "/a%3Fb", "/a?b"},
		{"/a%23b", "/a%23b", "/a#b"},
		{"/100%25", "/100%25", "/100%"},
		{"/100%25/x", "/100%25/x", "/100%/x"},
		{"/a%25zz", "/a%25zz", "/a%zz"},
		{"/a;v=1/b", "/a;v=1/b", "/a/b"},
		{"/a%3bv=1/b", "/a%3Bv=1/b", "/a/b"},
		{"/...", "/...", ""},
		{"/..a/.b", "/..a/.b", ""},
		{"/a=b&c+d,e@f:g!$'()*", "/a=b&c+d,e@f:g!$'()*", ""},
		{"/A", "/A", ""},
	} {
		got, err := CanonicalPath(tc.in)
		if err != nil || got != tc.want {
			t.Errorf("CanonicalPath(%q) = %q, %v; want %q", tc.in, got, err, tc.want)
		}
		loose := tc.loose
		if loose == "" {
			loose = tc.want
		}
		if got := LoosePath(got); got != loose {
			t.Errorf("LoosePath(%q) = %q; want %q", tc.in, got, loose)
		}
	}
}

func TestCanonicalPathRefuses(t *testing.T) {
	for want, paths := range map[error][]string{
		errTarget: {"*", "a", "http://api.test/x", "api.test:443", "?", ";/"},
		errTargetByte: {
			"/a b", "/a\\b", "/a#b", "/a\x00", "/a\nb", "/a\x7f", "/a\x80", "/你", "/a?b", "/\t",
		},
		errEncoded: {"/%", "/%4", "/%zz", "/%4g", "/a%%32%65", "/%u002f"},
		errSeparator: {
			"/a%2fb", "/a%2Fb", "/a%5cb", "/a%5Cb", "/a%00", "/a%0d%0a", "/a%7f", "/a%1f",
			"/a%252fb", "/a%252e%252e/b", "/%25%32%65", "/%2525", "/a%25%2534",
		},
		errOverlong: {"/%c0%af", "/%C0%AE%c0%ae/x", "/%c1%9c", "/%e0%80%af", "/%e0%9f%bf", "/%f0%80%80%af", "/%f0%8f%bf%bf"},
		errSegment: {
			"//", "//a", "/a//b", "/a//", "/.", "/..", "/./a", "/a/./b", "/a/..", "/a/../b", "/%2e", "/%2E%2e/a", "/.%2e/a",
			"/..;x", "/..;/a", "/.;a=b/c", "/a/..;x=y/b", "/;", "/;x/a", "/a/;x", "/..%3bx/a", "/a/..%3B/b", "/%2e%2e%3b/b", "/%3B/a",
		},
	} {
		for _, path := range paths {
			if got, err := CanonicalPath(path); !errors.Is(err, want) {
				t.Errorf("CanonicalPath(%q) = %q, %v; want %v", path, got, err, want)
			}
		}
	}
}

func TestCanonicalHost(t *testing.T) {
	long := strings.Repeat("a", 63)
	for in, want := range map[string]string{
		"example.com":           "example.com",
		"EXAMPLE.com":           "example.com",
		"example.com:80":        "example.com",
		"example.com.":          "example.com",
		"example.com.:8443":     "example.com",
		"Example.COM.:443":      "example.com",
		"localhost":             "localhost",
		"a_b.test":              "a_b.test",
		"127.0.0.1:9000":        "127.0.0.1",
		"[::1]":                 "[::1]",
		"[::1]:443":             "[::1]",
		"[2001:DB8:0:0::1]":     "[2001:db8::1]",
		"[::ffff:192.0.2.1]":    "[::ffff:192.0.2.1]",
		long + ".test":          long + ".test",
		"xn--bcher-kva.example": "xn--bcher-kva.example",
	} {
		if got, err := CanonicalHost(in); err != nil || got != want {
			t.Errorf("CanonicalHost(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ".", "..", ".com", "a..b", "a.test..", ":80", "a:", "a:b", "a:80:90", "a:123456", "a b", " a", "a,b", "a/b", "a\\b", "a\x00", "a\n",
		"bücher.example", "a@b", "user:pass@a", "a?b", "a#b", "*.a", "a%2eb", "::1", "[::1", "[::1]x", "[::1]:", "[::1]:x", "[::1%25eth0]",
		"[::1%eth0]", "[127.0.0.1]", "[]", "[", "]", "[::1].", long + "a.test", strings.Repeat("a.", 127) + "a.a",
	} {
		if got, err := CanonicalHost(in); !errors.Is(err, errHost) {
			t.Errorf("CanonicalHost(%q) = %q, %v; want %v", in, got, err, errHost)
		}
	}
}

func TestCanonicalize(t *testing.T) {
	for _, tc := range []struct {
		name   string
		r      Request
		reason Reason // ReasonUndecided: it can be read
		route  Route
	}{
		{"plain", Request{Method: "GET", Host: "A.test:80", Path: "/x"}, 0, Route{Host: "a.test", Path: "/x"}},
		{"two readings", Request{Method: "GET", Host: "a.test", Path: "/x;y/%20"}, 0, Route{Host: "a.test", Path: "/x;y/%20", Loose: "/x/ "}},
		{"own method", Request{Method: "PURGE-ALL", Host: "a.test", Path: "/"}, 0, Route{Host: "a.test", Path: "/"}},
		{"extended CONNECT", Request{Method: "CONNECT", Host: "a.test", Path: "/chat"}, 0, Route{Host: "a.test", Path: "/chat"}},
		{"query", Request{Method: "GET", Host: "a.test", Path: "/", Query: "a=%2f..\\&b=é"}, 0, Route{Host: "a.test", Path: "/"}},
		{"no method", Request{Host: "a.test", Path: "/"}, ReasonMalformedRequest, Route{}},
		{"method of two words", Request{Method: "GET /", Host: "a.test", Path: "/"}, ReasonMalformedRequest, Route{}},
		{"no host", Request{Method: "GET", Path: "/"}, ReasonAmbiguousHost, Route{}},
		{"two hosts", Request{Method: "GET", Host: "a.test,b.test", Path: "/"}, ReasonAmbiguousHost, Route{}},
		{"asterisk", Request{Method: "OPTIONS", Host: "a.test", Path: "*"}, ReasonAmbiguousPath, Route{}},
		{"tunnel", Request{Method: "CONNECT", Host: "a.test:443"}, ReasonAmbiguousPath, Route{}},
		{"tunnel by authority", Request{Method: "CONNECT", Host: "a.test", Path: "a.test:443"}, ReasonAmbiguousPath, Route{}},
		{"absolute form", Request{Method: "GET", Host: "a.test", Path: "http://b.test/"}, ReasonAmbiguousPath, Route{}},
		{"fragment in query", Request{Method: "GET", Host: "a.test", Path: "/", Query: "a=1#x"}, ReasonAmbiguousPath, Route{}},
		{"space in query", Request{Method: "GET", Host: "a.test", Path: "/", Query: "a=1 2"}, ReasonAmbiguousPath, Route{}},
		{"NUL in query", Request{Method: "GET", Host: "a.test", Path: "/", Query: "a=\x00"}, ReasonAmbiguousPath, Route{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.r.Canonicalize()
			if tc.reason == ReasonUndecided {
				if err != nil || tc.r.Route != tc.route {
					t.Fatalf("got %+v, %v; want %+v", tc.r.Route, err, tc.route)
				}
				return
			}
			if got := ReasonOf(err); err == nil || got != tc.reason || got.Class() != ClassBadRequest {
				t.Fatalf("got %v; want %v", err, tc.reason)
			}
			if tc.r.Route != (Route{}) {
				t.Fatalf("a refused request has the route %+v", tc.r.Route)
			}
		})
	}
}

func TestCanonicalizeDoesNotAllocate(t *testing.T) {
	r := Request{Method: "GET", Host: "orders.example.com", Path: "/v1/orders/42", Query: "expand=lines"}
	if n := testing.AllocsPerRun(100, func() { _ = r.Canonicalize() }); n != 0 {
		t.Errorf("%v allocations; want none for a canonical request", n)
	}
}

// FuzzCanonicalPath holds the canonical form to what its users rely on, against an independent reading.
func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{
		"", "/", "/a/b", "/%41", "/a;b/c", "/..", "/%2e%2e/", "/%2f", "/%252e", "/a%3b", "/%25%34%31", "/%c0%af", "/a//b", "*", "/é", "/%zz",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, err := CanonicalPath(path)
		if err != nil {
			return
		}
		if again, err := CanonicalPath(got); err != nil || again != got {
			t.Fatalf("%q → %q → %q, %v: not idempotent", path, got, again, err)
		}
		for i := range len(got) {
			if c := got[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`\#?`, c) >= 0 {
				t.Fatalf("%q → %q holds %q", path, got, c)
			}
		}
		// Whoever decodes once, twice or cuts parameters sees the same segments, none of them empty or dots.
		once := decodeAll(got)
		for _, reading := range []string{got, once, decodeAll(once), LoosePath(got), decodeAll(LoosePath(got))} {
			if strings.Count(reading, "/") != strings.Count(got, "/") {
				t.Fatalf("%q → %q is read as %q", path, got, reading)
			}
			segments := strings.Split(reading, "/")[1:]
			for i, s := range segments {
				s, _, _ = strings.Cut(s, ";")
				if s == "." || s == ".." || s == "" && i < len(segments)-1 {
					t.Fatalf("%q → %q is read as %q", path, got, reading)
				}
			}
			if strings.ContainsAny(reading, "\\\x00\r\n") {
				t.Fatalf("%q → %q is read as %q", path, got, reading)
			}
		}
	})
}

// decodeAll decodes every %XX and leaves the rest, as a forgiving server does.
func decodeAll(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, ok := unhex(s, i); ok && s[i] == '%' {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func FuzzCanonicalHost(f *testing.F) {
	for _, seed := range []string{"a.test", "A.TEST.:80", "[::1]:1", "a,b", "", "[::ffff:1.2.3.4]", "a..b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		got, err := CanonicalHost(host)
		if err != nil {
			return
		}
		if again, err := CanonicalHost(got); err != nil || again != got {
			t.Fatalf("%q → %q → %q, %v: not idempotent", host, got, again, err)
		}
		if got != strings.ToLower(got) || strings.HasSuffix(got, ".") || strings.ContainsAny(got, " ,/\\@#?%*\x00") {
			t.Fatalf("%q → %q", host, got)
		}
		if with, err := CanonicalHost(got + ":8443"); err != nil || with != got {
			t.Fatalf("%q with a port → %q, %v", got, with, err)
		}
	})
}

func BenchmarkCanonicalize(b *testing.B) {
	r := Request{Method: "GET", Host: "orders.example.com", Path: "/v1/orders/42", Query: "expand=lines&limit=10"}
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Canonicalize(); err != nil {
			b.Fatal(err)
		}
	}
}
