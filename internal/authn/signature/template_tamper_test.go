package signature

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestTemplateTampered changes one bit, anywhere in what is covered, and the request is refused. Only the digits a to f
// of a hexadecimal signature may be of either case.
func TestTemplateTampered(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := describe(rapid.SampledFrom([]string{fullText, sortedText + `\n{header:X-Env}`}).Draw(rt, "text"))
		d.Algorithm = rapid.SampledFrom(v1alpha1.ProfileTemplate.Algorithms()).Draw(rt, "algorithm")
		d.Signature.Encoding = rapid.SampledFrom([]v1alpha1.TemplateEncoding{"hex", "base64", "base64url"}).Draw(rt, "encoding")
		d.Timestamp.Unit = rapid.SampledFrom([]v1alpha1.TimestampUnit{"s", "ms", "rfc3339"}).Draw(rt, "unit")
		q := templateRequest(d)
		q.Method = rapid.SampledFrom([]string{"GET", "POST", "DELETE"}).Draw(rt, "method")
		q.URL = "https://Example.com:8443" + rapid.StringMatching(`(/[a-zA-Z0-9._~-]{1,8}){1,4}`).Draw(rt, "path") +
			"?" + rapid.StringMatching(`[a-z]{1,4}=[a-zA-Z0-9%+]{0,8}`).Draw(rt, "query")
		q.Body = rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(rt, "body")
		q.Headers = []authz.Header{{Name: "X-Env", Value: rapid.StringMatching(`[!-~]([ -~]{0,16}[!-~])?`).Draw(rt, "header")}}
		q.Nonce = rapid.StringMatching(`[a-z0-9]{1,16}`).Draw(rt, "nonce")

		r := signed(t, q)
		if _, err := check(templated(t, d, nil), r); err != nil {
			rt.Fatalf("untouched: %v", err)
		}
		part := rapid.SampledFrom(coveredParts(r)).Draw(rt, "part")
		bit := rapid.IntRange(0, 8*len(*part.text)-1).Draw(rt, "bit")
		b := []byte(*part.text)
		b[bit/8] ^= 1 << (bit % 8)
		same := part.name == "x-signature" && d.Signature.Encoding == v1alpha1.EncodingHex && bit >= 8*len("v1=") &&
			strings.EqualFold(string(b), *part.text)
		*part.text = string(b)
		if part.body {
			r.Body.Bytes = b
		}
		if _, err := check(templated(t, d, nil), r); (err == nil) != same {
			rt.Fatalf("%s with bit %d flipped is %q: got %v, want accepted: %t", part.name, bit, *part.text, err, same)
		}
	})
}

// TestTemplateSignsOneRequest reads the values back out of a text that separates them with line feeds and has the body
// last. So no two requests have one such text.
func TestTemplateSignsOneRequest(t *testing.T) {
	compiled, err := compileText(describe(`{method}\n{host}\n{path}\n{query}\n{header:x-a}\n{nonce}\n{body}`))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		// Few bytes, among them the one that separates.
		v := rapid.SliceOfN(rapid.StringMatching("[a/?=&. \t\n-]{0,3}"), 7, 7).Draw(rt, "values")
		v[0], v[1], v[2] = "GET", rapid.StringMatching("[a.:\n-]{1,3}").Draw(rt, "host"), "/"+v[2]
		r := &authz.Request{
			Method: v[0], Host: v[1], Path: v[2], Query: v[3], HasQuery: true,
			Headers: []authz.Header{{Name: "x-a", Value: v[4]}, {Name: "x-nonce", Value: v[5]}},
			Body:    authz.Body{Bytes: []byte(v[6]), State: authz.BodyWhole},
		}
		text, err := compiled.append(origin{}, r, nil)
		if err != nil {
			return // refused
		}
		v[4], v[5] = strings.Trim(v[4], " \t"), strings.Trim(v[5], " \t")
		if got := strings.SplitN(string(text), "\n", len(v)); !slices.Equal(got, v) {
			rt.Fatalf("%q was made of %q", text, v)
		}
	})
}

// FuzzTemplateText compiles the texts of strangers: no panic, and what compiles stands for what replacing all
// placeholders and escapes in one pass gives.
func FuzzTemplateText(f *testing.F) {
	for _, seed := range []string{
		fullText, sortedText, "{{}}", `\\\n\t`, "{{{method}}}", "{method}{path}", "{header:X-Env}", "{header:host}", "{", "}", `\`, "{}", "{header:",
		"{scheme}://{host}{target}", "{body_md5_b64} {body_sha256_b64} {method_lower} {body}", "é{path}",
	} {
		f.Add(seed)
	}
	d := describe(fullText)
	r := signed(f, templateRequest(d))
	pairs := []string{"{{", "{", "}}", "}", `\n`, "\n", `\t`, "\t", `\\`, `\`}
	for name := range placeholders {
		p, err := newPiece(name, d)
		if err != nil {
			continue // header, which wants a name
		}
		value, err := p.insert(origin{}, r, p.header, nil)
		if err != nil {
			f.Fatal(err)
		}
		pairs = append(pairs, p.name, string(value))
	}
	inOnePass := strings.NewReplacer(pairs...)
	f.Fuzz(func(t *testing.T, text string) {
		compiled, err := compileText(describe(text))
		if err != nil {
			return
		}
		got, err := compiled.append(origin{}, r, nil)
		if strings.Contains(text, "{header:") {
			return // it may name any header, of which few are there
		}
		if want := inOnePass.Replace(text); string(got) != want || err != nil {
			t.Fatalf("%q became %q, %v, want %q", text, got, err, want)
		}
	})
}

// FuzzTemplate reads requests of strangers: no panic, nothing accepted that was not signed.
func FuzzTemplate(f *testing.F) {
	f.Add("v1=00", "client", "1618884473", "n", "a=1&b", "prod", []byte("x"), true)
	f.Add("v1=,", "a,b", "2021-04-20T02:07:53Z", "", "&&=", "\xff", []byte(nil), false)
	f.Add("", "", "1618884473000", "\t", "%", "a\nb", []byte("\n"), true)
	f.Fuzz(func(t *testing.T, sig, keyID, timestamp, nonce, query, env string, body []byte, raw bool) {
		r := &authz.Request{
			Method: "POST", Scheme: "https", Host: "example.com", Path: "/a", Query: query, HasQuery: true, RawHeaders: raw, Now: now,
			Headers: []authz.Header{
				{Name: "x-signature", Value: sig}, {Name: "x-key-id", Value: keyID}, {Name: "x-timestamp", Value: timestamp},
				{Name: "x-nonce", Value: nonce}, {Name: "x-env", Value: env},
			},
			Body: authz.Body{Bytes: body, State: authz.BodyWhole},
		}
		for _, encoding := range []v1alpha1.TemplateEncoding{"hex", "base64", "base64url"} {
			for _, unit := range []v1alpha1.TimestampUnit{"s", "ms", "rfc3339"} {
				d := describe(sortedText + `\n{header:X-Env}`)
				d.Signature.Encoding, d.Timestamp.Unit = encoding, unit
				if p, err := check(templated(t, d, nil), r); err == nil {
					t.Fatalf("accepted as %v", p)
				}
			}
		}
	})
}

func BenchmarkTemplate(b *testing.B) {
	for _, c := range []struct {
		name string
		body []byte
	}{{"no body", nil}, {"1 KiB body", make([]byte, 1<<10)}} {
		b.Run(c.name, func(b *testing.B) {
			d := describe(`{timestamp}\n{method}\n{host}\n{path}\n{query_sorted}\n{nonce}\n{body_sha256_hex}`)
			q := templateRequest(d)
			q.Body = c.body
			r := signed(b, q)
			s := templated(b, d, func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = always{} })
			b.ReportAllocs()
			for b.Loop() {
				if _, err := check(s, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
