package signature

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"

	"github.com/postern-auth/postern/internal/authz"
)

var structuredSeeds = []string{
	`sig1=("@method" "@path";x "date";key="a\"b\\");created=1618884473;keyid="k";alg="ed25519"`,
	`a=1, b=-0, c=-1.50, d=?1, e=?0, f=tok:/x, g=:AAA=:, h=@1618884473, i=%"f%c3%bc ;,()", j, k;x, l=(1 2;a ("x"))`,
	`a=( ), b=(  "x"   "y" );c; d=1`, `a=1,a=2`, `a;b;b`, `a=1,`, ` a=1 `, "a=\t1", `a=("x""y")`, `a=999999999999999`, `a=0001`,
	`*=*`, `a=%"\"`, `a=:A:`, "a=:AA\n==:", `u=3, i`, "", "\x00", "é",
}

// FuzzStructured holds the scanner to httpsfv: what it accepts, httpsfv reads in the same way, and what it refuses,
// httpsfv refuses too, or drops a part of. What it writes it reads again as the same.
func FuzzStructured(f *testing.F) {
	for _, s := range structuredSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, as := range []fieldType{typeDictionary, typeList, typeItem} {
			got, err := canonical(text, as)
			want, wantErr := byHTTPSFV(text, as)
			switch {
			case err == nil && (wantErr != nil || got != want):
				t.Fatalf("type %d: %q became %q, by httpsfv %q, %v", as, text, got, want, wantErr)
			case err != nil && wantErr == nil && !dropped(text, want):
				t.Fatalf("type %d: %q was refused, by httpsfv it is %q", as, text, want)
			case err == nil:
				if again, err := canonical(got, as); err != nil || again != got {
					t.Fatalf("type %d: %q became %q, and then %q, %v", as, text, got, again, err)
				}
			}
		}
	})
}

func canonical(text string, as fieldType) (string, error) {
	r := &authz.Request{Headers: []authz.Header{{Name: "x", Value: text}}}
	out, err := appendStructured(nil, r, "x", as)
	return string(out), err
}

func byHTTPSFV(text string, as fieldType) (string, error) {
	lines := []string{strings.Trim(text, " \t")}
	var (
		v   httpsfv.StructuredFieldValue
		err error
	)
	switch as {
	case typeDictionary:
		v, err = httpsfv.UnmarshalDictionary(lines)
	case typeList:
		v, err = httpsfv.UnmarshalList(lines)
	default:
		v, err = httpsfv.UnmarshalItem(lines)
	}
	if err != nil {
		return "", err
	}
	return httpsfv.Marshal(v)
}

// dropped reports that httpsfv left something out of what it read: an empty field, a repeated key or parameter.
func dropped(text, read string) bool {
	separators := func(s string) int { return strings.Count(s, ",") + strings.Count(s, ";") }
	return read == "" || separators(text) > separators(read) || strings.Count(text, ",") > 31 || strings.Count(text, ";") > 31
}

// FuzzFields reads signature fields of strangers: no panic, and what is accepted reads the same in its canonical form.
func FuzzFields(f *testing.F) {
	f.Add(`sig1=("@method" "@authority" "@path";x);created=1;keyid="k"`, `sig1=:AAAA:`, `sha-256=:AAAA:`)
	f.Add(`a=(), b=("x";sf "y";key="z" "w";bs);nonce="n";tag="t"`, `a=::, b=:AA==:`, `sha-512=::, md5=:AAAA:`)
	f.Add(`a=("@query-param";name="q" "@target-uri" "content-digest";sf);expires=-1`, "a=:A:", "")
	f.Fuzz(func(t *testing.T, input, value, digest string) {
		r := &authz.Request{
			Method: "GET", Scheme: "http", Host: "example.com", Path: "/a", Query: input, HasQuery: true, RawHeaders: true, Now: now,
			Headers: []authz.Header{
				{Name: "signature-input", Value: input}, {Name: "signature", Value: value}, {Name: "content-digest", Value: digest},
				{Name: "x", Value: value}, {Name: "y", Value: digest}, {Name: "w", Value: input},
			},
		}
		s := newScheme(t, keys{}, nil)
		p, err := check(s, r)
		if err == nil {
			t.Fatalf("accepted as %v", p)
		}
		_ = contentDigests.check(r, []byte(value))

		w := newWork()
		defer w.release()
		if s.profile.parse(r, &w.claim) != nil {
			return
		}
		first := bytes.Clone(w.claim.params)
		base, _, err := s.profile.base(r, &w.claim, 0, nil)
		if err == nil && bytes.Count(base, []byte("\n")) != len(w.claim.covered) {
			t.Fatalf("%d components in base %q", len(w.claim.covered), base)
		}
		var again claim
		sc := scanner{text: string(first)}
		if err := sc.signatureInput(&again); err != nil || !bytes.Equal(first, again.params) {
			t.Fatalf("%q became %q: %v", first, again.params, err)
		}
	})
}

// FuzzBase builds bases of strange requests: no panic, one line a component, nothing but text in it.
func FuzzBase(f *testing.F) {
	f.Add("GET", "https", "example.com", "/a", "b=1&c", "x", true)
	f.Add("CONNECT", "", "A,B", "*", "%", "a,b, c", false)
	f.Add("P", "HTTP", "[::1]:80", "", "a=%41+&%61=", "a=1,\n", true)
	covers := []string{"@method", "@scheme", "@authority", "@target-uri", "@request-target", "@path", "@query",
		`@query-param;name="a"`, "host", "x", "x;bs", `x;key="a"`, "priority;sf"}
	f.Fuzz(func(t *testing.T, method, scheme, host, path, query, value string, raw bool) {
		r := &authz.Request{
			Method: method, Scheme: scheme, Host: host, Path: path, Query: query, HasQuery: query != "", RawHeaders: raw,
			Headers: []authz.Header{{Name: "x", Value: value}, {Name: "priority", Value: value}},
		}
		for _, cover := range covers {
			c, err := (&SignRequest{Cover: []string{cover}, Label: "a"}).claim()
			if err != nil {
				t.Fatal(err)
			}
			for n, more := 0, true; more; n++ {
				var base []byte
				base, more, err = origin{}.appendBase(r, c, n, nil)
				if n > 1 {
					t.Fatal("a third reading")
				}
				if err != nil {
					break
				}
				if lines := bytes.Split(base, []byte("\n")); len(lines) != 2 || !isText(lines[0]) || !isText(lines[1]) {
					t.Fatalf("base %q", base)
				}
			}
		}
	})
}
