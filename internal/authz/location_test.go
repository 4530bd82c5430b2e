package authz

import (
	"errors"
	"strings"
	"testing"
)

// places is a scheme that looks everywhere.
var places = []Location{
	{Header: "X-API-Key"},
	{Header: "authorization", Prefix: "APPCODE "},
	{Query: "api_key"},
	{Cookie: "api_key"},
}

func headers(nameValue ...string) []Header {
	var list []Header
	for i := 0; i < len(nameValue); i += 2 {
		list = append(list, Header{nameValue[i], nameValue[i+1]})
	}
	return list
}

func TestFind(t *testing.T) {
	for _, tc := range []struct {
		name    string
		headers []Header
		query   string
		want    string
	}{
		{"header", headers("x-api-key", "k1"), "", "k1"},
		{"header with blanks", headers("x-api-key", " \tk1 "), "", "k1"},
		{"header repeated with the same value", headers("x-api-key", "k1", "x-api-key", "k1"), "", "k1"},
		{"prefix", headers("authorization", "APPCODE k1"), "", "k1"},
		{"prefix in another case", headers("authorization", "appCode   k1"), "", "k1"},
		{"prefix with a tab", headers("authorization", "APPCODE\tk1"), "", "k1"},
		{"query", nil, "a=b&api_key=k1&c", "k1"},
		{"query encoded", nil, "api%5Fkey=%6b1", "k1"},
		{"query with a plus", nil, "api_key=a+b", "a b"},
		{"query with an equals sign", nil, "api_key=a=b==", "a=b=="},
		{"cookie", headers("cookie", "a=b; api_key=k1; c=d"), "", "k1"},
		{"cookie in another field", headers("cookie", "a=b", "cookie", "api_key=k1"), "", "k1"},
		{"cookie with blanks", headers("cookie", "a=b;api_key = k1"), "", "k1"},
		{"cookie with an equals sign", headers("cookie", "api_key=a=b=="), "", "a=b=="},
		{"same in all places", headers("x-api-key", "k1", "authorization", "Appcode k1", "cookie", "api_key=k1"), "api_key=k1", "k1"},
		{"another scheme's header beside it", headers("x-api-key", "k1", "authorization", "Bearer x"), "", "k1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := NewLocations(places, false).Find(&Request{Headers: tc.headers, Query: tc.query})
			if err != nil || c.Value.Reveal() != tc.want {
				t.Fatalf("got %q, %v; want %q", c.Value.Reveal(), err, tc.want)
			}
		})
	}
}

func TestFindRefuses(t *testing.T) {
	for _, tc := range []struct {
		name    string
		headers []Header
		query   string
		want    error
	}{
		{"nothing", nil, "", ErrNoCredential},
		{"another header", headers("x-api-keys", "k1", "x-api", "k"), "", ErrNoCredential},
		{"another scheme", headers("authorization", "Bearer k1"), "", ErrNoCredential},
		{"a longer word", headers("authorization", "APPCODES k1"), "", ErrNoCredential},
		{"another parameter", nil, "api_keys=k1&xapi_key=k1&API_KEY=k1&api%5fkey%=x", ErrNoCredential},
		{"another cookie", headers("cookie", "xapi_key=k1; API_KEY=k1; api_key"), "", errEmptyCredential},
		{"a value that looks like a cookie", headers("cookie", "a=api_key=k1"), "", ErrNoCredential},
		{"no cookie at all", headers("cookie", " ; ;"), "", ErrNoCredential},
		{"empty header", headers("x-api-key", ""), "", errEmptyCredential},
		{"blank header", headers("x-api-key", " \t"), "", errEmptyCredential},
		{"prefix alone", headers("authorization", "AppCode"), "", errEmptyCredential},
		{"prefix and a blank", headers("authorization", "AppCode  "), "", errEmptyCredential},
		{"repeated beyond measure", nil, strings.Repeat("api_key=k1&", maxRepeats) + "api%5Fkey=k1", errRepeated},
		{"empty parameter", nil, "api_key=", errEmptyCredential},
		{"parameter without value", nil, "api_key", errEmptyCredential},
		{"empty cookie", headers("cookie", "api_key="), "", errEmptyCredential},
		{"broken encoding", nil, "api_key=%zz", errEncoding},
		{"two headers", headers("x-api-key", "k1", "x-api-key", "k2"), "", errTwoCredentials},
		{"two headers joined", headers("x-api-key", "k1,k2"), "", errJoined},
		{"the same header joined", headers("x-api-key", "k1, k1"), "", errJoined},
		{"two schemes joined, ours first", headers("authorization", "APPCODE k1,Bearer x"), "", errJoined},
		{"two schemes joined, ours last", headers("authorization", "Bearer x,appcode k1"), "", errJoined},
		{"two schemes joined with blanks", headers("authorization", "Bearer x , \tAPPCODE\tk1"), "", errJoined},
		{"two schemes joined, ours empty", headers("authorization", "Bearer x,APPCODE"), "", errJoined},
		{"two parameters", nil, "api_key=k1&api_key=k2", errTwoCredentials},
		{"two parameters, one encoded", nil, "api_key=k1&api%5Fkey=k2", errTwoCredentials},
		{"two cookies", headers("cookie", "api_key=k1; api_key=k2"), "", errTwoCredentials},
		{"two cookies in two fields", headers("cookie", "api_key=k1", "cookie", "api_key=k2"), "", errTwoCredentials},
		{"two cookie fields joined, ours first", headers("cookie", "api_key=k1,a=b"), "", errJoined},
		{"two cookie fields joined, ours last", headers("cookie", "a=b,api_key=k1"), "", errJoined},
		{"two cookie fields joined, ours amid", headers("cookie", "x=y; a=b, api_key=k1; c=d"), "", errJoined},
		{"header and query", headers("x-api-key", "k1"), "api_key=k2", errTwoCredentials},
		{"header and cookie", headers("x-api-key", "k1", "cookie", "api_key=k2"), "", errTwoCredentials},
		{"good header, empty cookie", headers("x-api-key", "k1", "cookie", "api_key="), "", errEmptyCredential},
		{"two headers of one scheme", headers("x-api-key", "k1", "authorization", "APPCODE k2"), "", errTwoCredentials},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := NewLocations(places, false).Find(&Request{Headers: tc.headers, Query: tc.query})
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %q, %v; want %v", c.Value.Reveal(), err, tc.want)
			}
			if c != (Credential{}) {
				t.Fatal("a refusal comes with a credential")
			}
		})
	}
}

func TestFindPrefixWithoutBlank(t *testing.T) {
	in := NewLocations([]Location{{Header: "Authorization", Prefix: "Key="}}, false)
	c, err := in.Find(&Request{Headers: headers("authorization", "key=k1")})
	if err != nil || c.Value.Reveal() != "k1" {
		t.Fatalf("got %q, %v", c.Value.Reveal(), err)
	}
}

func TestNewLocationsKeepsItsOwnList(t *testing.T) {
	list := []Location{{Header: "X-API-Key"}}
	in := NewLocations(list, false)
	if list[0].Header != "X-API-Key" {
		t.Error("the caller's list was changed")
	}
	list[0].Header = "other"
	if _, err := in.Find(&Request{Headers: headers("x-api-key", "k1")}); err != nil {
		t.Error(err)
	}
}

func TestNewLocationsRefusesTooMany(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a list that cannot be looked at was accepted")
		}
	}()
	NewLocations(make([]Location, MaxLocations+1), false)
}

func TestFindDoesNotAllocate(t *testing.T) {
	in := NewLocations(places, false)
	r := &Request{Headers: headers("authorization", "APPCODE k1", "cookie", "a=b; c=d"), Query: "a=b&c=d"}
	if n := testing.AllocsPerRun(100, func() { _, _ = in.Find(r) }); n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}

// FuzzFind looks for a request whose credential is found and yet stays in it after Strip.
func FuzzFind(f *testing.F) {
	f.Add("k1", "APPCODE k1", "api_key=k1", "api_key=k1; a=b")
	f.Add("", "Bearer x,APPCODE y", "api%5Fkey=%6b1&&=", ";;=;a")
	f.Add("a,b", "appcode", "api_key", "a=b,api_key=c")
	f.Fuzz(func(t *testing.T, key, authorization, query, cookie string) {
		var list []Header
		for name, value := range map[string]string{"x-api-key": key, "authorization": authorization, "cookie": cookie} {
			if value != "" {
				list = append(list, Header{name, value})
			}
		}
		r := &Request{Headers: list, Query: query}
		in := NewLocations(places, false)
		c, err := in.Find(r)
		if err != nil {
			if c != (Credential{}) || ReasonOf(err) == ReasonInternal {
				t.Fatalf("%+v, %v", c, err)
			}
			return
		}
		if c.Value == "" || strings.Contains(c.Value.Reveal(), ",") {
			t.Fatalf("found %q", c.Value.Reveal())
		}
		var m Mutation
		c.Strip(r, &m)
		if _, err := in.Find(apply(r, &m)); !errors.Is(err, ErrNoCredential) {
			t.Fatalf("after stripping: %v", err)
		}
	})
}

// apply changes a request as Envoy does: it sets, then removes.
func apply(r *Request, m *Mutation) *Request {
	out := &Request{}
	set := map[string]bool{}
	for _, h := range m.Set {
		set[h.Name] = true
		out.Headers = append(out.Headers, h)
	}
	for _, name := range m.Remove {
		set[name] = true
	}
	for _, h := range r.Headers {
		if !set[h.Name] {
			out.Headers = append(out.Headers, h)
		}
	}
	remove := map[string]bool{}
	for _, name := range m.RemoveParams {
		remove[name] = true
	}
	var kept []string
	for param := range strings.SplitSeq(r.Query, "&") {
		if name, _, _ := strings.Cut(param, "="); !remove[name] {
			kept = append(kept, param)
		}
	}
	out.Query = strings.Join(kept, "&")
	return out
}

func BenchmarkFind(b *testing.B) {
	in := NewLocations(places, false)
	r := &Request{Headers: headers("accept", "*/*", "user-agent", "curl/8", "x-api-key", "pk_0", "x-request-id", "1"), Query: "a=b"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.Find(r); err != nil {
			b.Fatal(err)
		}
	}
}
