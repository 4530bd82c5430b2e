package signature

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestListingTampered changes one bit, anywhere in what is covered or in the credential's key id, list and signature, and
// the request is refused. Only the draft's list has no case.
func TestListingTampered(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := drawListing(t, rt)
		if _, err := check(newListingScheme(t, q.Profile, nil), signed(t, q)); err != nil {
			rt.Fatalf("untouched: %v", err)
		}
		r := signed(t, q)
		part := rapid.SampledFrom(listedParts(r, q.Profile)).Draw(rt, "part")
		bit := rapid.IntRange(0, 8*(part.to-part.from)-1).Draw(rt, "bit")
		b := []byte(*part.text)
		b[part.from+bit/8] ^= 1 << (bit % 8)
		same := part.folded && strings.EqualFold(string(b), *part.text)
		*part.text = string(b)
		if part.body {
			r.Body.Bytes = b
		}
		if _, err := check(newListingScheme(t, q.Profile, nil), r); (err == nil) != same {
			rt.Fatalf("%s with bit %d flipped is %q: got %v, want accepted: %t", part.name, bit, *part.text, err, same)
		}
	})
}

func drawListing(t testing.TB, rt *rapid.T) SignRequest {
	q := listingOrder(t, rapid.SampledFrom(listings).Draw(rt, "profile"))
	drawn := drawRequest(t, rt)
	q.Method, q.URL, q.Body, q.Headers = drawn.Method, drawn.URL, drawn.Body, drawn.Headers
	q.Cover = []string{q.Profile.Cover()[0], "host", "date", "digest"}
	for _, h := range q.Headers {
		q.Cover = append(q.Cover, h.Name)
	}
	switch {
	case q.Profile == v1alpha1.ProfileCavage && rapid.Bool().Draw(rt, "pseudo"):
		q.Cover[2] = "(created)"
		q.Expires = drawn.Expires
	case q.Profile == v1alpha1.ProfileKong && rapid.Bool().Draw(rt, "line"):
		q.Cover[0], q.Cover[2] = "request-line", "x-date"
	}
	q.Cover = rapid.Permutation(q.Cover).Draw(rt, "order")
	return q
}

// span is a part of the text of one field or of the target.
type span struct {
	part

	from, to int
}

func listedParts(r *authz.Request, p v1alpha1.SignatureProfile) []span {
	var spans []span
	body := string(r.Body.Bytes)
	whole := []part{
		{name: "method", text: &r.Method}, {name: "host", text: &r.Host}, {name: "path", text: &r.Path},
		{name: "query", text: &r.Query}, {name: "body", text: &body, body: true},
	}
	for i := range r.Headers {
		h := &r.Headers[i]
		if h.Name != "authorization" {
			whole = append(whole, part{name: h.Name, text: &h.Value})
			continue
		}
		for _, name := range []string{keyParameter(p), "headers", "signature"} {
			from := strings.Index(h.Value, name+`="`) + len(name+`="`)
			folded := p == v1alpha1.ProfileCavage && name == "headers"
			spans = append(spans, span{part{name: name, text: &h.Value, folded: folded}, from, from + strings.IndexByte(h.Value[from:], '"')})
		}
	}
	for _, p := range whole {
		spans = append(spans, span{p, 0, len(*p.text)})
	}
	return spans
}

// FuzzListing reads strange credentials: no panic, none is accepted, and what would be signed can be read back in one way
// only, for the list is not signed.
func FuzzListing(f *testing.F) {
	f.Add("keyId=\"k\",algorithm=\"hs2019\",created=1,expires=2.5,headers=\"(request-target) (created) (expires) host x\",signature=\"AAAA\"", "GET", "/a", "a,b", "MD5=x, SHA-256=AAAA", true)
	f.Add(`username="k", algorithm="hmac-sha1", headers="request-line @request-target X gone date", signature="AAAA"`, "M-SEARCH", "", "", "sha-512=", false)
	f.Add(`keyId="k",algorithm="hmac-sha256",headers="@request-target x gone host",signature="AAAA"`, "PUT", "/: x", " x: y ", "SHA-256=AAAA,SHA-256=AAAA", true)
	f.Add(`keyId=k,,=`, "get", "*", "\n", "=", false)
	schemes := map[v1alpha1.SignatureProfile]*scheme{}
	for _, p := range listings {
		schemes[p] = newScheme(f, keys{}, func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Profile = p })
	}
	f.Fuzz(func(t *testing.T, text, method, path, value, digest string, raw bool) {
		for _, p := range listings {
			word := "Signature "
			if p == v1alpha1.ProfileKong {
				word = "hmac "
			}
			r := &authz.Request{
				Method: method, Protocol: "HTTP/2", Host: "example.com", Path: path, Query: value, HasQuery: raw, RawHeaders: raw, Now: now,
				Headers: []authz.Header{
					{Name: "authorization", Value: word + text}, {Name: "x", Value: value}, {Name: "date", Value: value}, {Name: "digest", Value: digest},
				},
			}
			s := schemes[p]
			if who, err := check(s, r); err == nil {
				t.Fatalf("%s: accepted as %v", p, who)
			}
			_ = checkDigest(r, []byte(value))
			readBack(t, p, s, r)
		}
	})
}

// readBack takes the list out of the text that would be signed, and compares it with the one that was read.
func readBack(t *testing.T, p v1alpha1.SignatureProfile, s *scheme, r *authz.Request) {
	t.Helper()
	w := newWork()
	defer w.release()
	if s.profile.parse(r, &w.claim) != nil {
		return
	}
	for n, more := 0, true; more; n++ {
		var base []byte
		var err error
		if base, more, err = s.profile.base(r, &w.claim, n, nil); err != nil {
			return
		}
		if n > 1 {
			t.Fatal("a third reading")
		}
		lines := bytes.Split(base, []byte("\n"))
		if p == v1alpha1.ProfileAPISIX {
			if string(lines[0]) != w.claim.keyID || len(lines[len(lines)-1]) > 0 {
				t.Fatalf("base %q", base)
			}
			lines = lines[1 : len(lines)-1]
		}
		var names, want []string
		for _, line := range lines {
			if !isText(line) {
				t.Fatalf("base %q", base)
			}
			names = append(names, lineName(p, string(line)))
		}
		for _, k := range w.claim.covered {
			want = append(want, k.name)
		}
		if !slices.Equal(names, want) {
			t.Fatalf("%s: from %q one reads %q, not %q", p, base, names, want)
		}
	}
}

// lineName returns what a line of the text that is signed stands for.
func lineName(p v1alpha1.SignatureProfile, line string) string {
	colon, space := strings.IndexByte(line, ':'), strings.IndexByte(line, ' ')
	switch {
	case colon >= 0 && (space < 0 || colon < space):
		return strings.ToLower(line[:colon])
	case p == v1alpha1.ProfileKong:
		return "request-line"
	case p == v1alpha1.ProfileAPISIX:
		return "@request-target"
	default:
		return fmt.Sprintf("no name in %q", line)
	}
}
