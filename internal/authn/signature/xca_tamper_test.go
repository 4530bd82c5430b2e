package signature

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestXCaTampered changes one bit, anywhere in what is covered, and the request is refused. Only another spelling of
// the same parameters, such as %2f for %2F, is accepted.
func TestXCaTampered(t *testing.T) {
	store := xCaKeys()
	rapid.Check(t, func(rt *rapid.T) {
		q := drawXCa(rt)
		if _, err := check(newXCaScheme(t, store, nil), signed(t, q)); err != nil {
			rt.Fatalf("untouched: %v", err)
		}
		r := signed(t, q)
		parts := slices.DeleteFunc(coveredParts(r), func(p part) bool { return len(*p.text) == 0 || p.name == "host" })
		part := rapid.SampledFrom(parts).Draw(rt, "part")
		was := *part.text
		bit := rapid.IntRange(0, 8*len(was)-1).Draw(rt, "bit")
		b := []byte(was)
		b[bit/8] ^= 1 << (bit % 8)
		*part.text = string(b)
		if part.body {
			r.Body.Bytes = b
		}
		same := (part.name == "query" || part.body && isForm(r)) && sameParameters(was, string(b))
		if _, err := check(newXCaScheme(t, store, nil), r); (err == nil) != same {
			rt.Fatalf("%s %q with bit %d flipped is %q: got %v, want accepted: %t", part.name, was, bit, b, err, same)
		}
	})
}

func sameParameters(a, b string) bool {
	was, err := url.ParseQuery(a)
	is, err2 := url.ParseQuery(b)
	return err == nil && err2 == nil && reflect.DeepEqual(was, is)
}

func drawXCa(rt *rapid.T) SignRequest {
	q := xCaOrder()
	q.Method = rapid.SampledFrom([]string{"GET", "POST", "DELETE"}).Draw(rt, "method")
	path := rapid.StringMatching(`(/[a-zA-Z0-9._~-]{1,8}){1,4}`).Draw(rt, "path")
	query := rapid.StringMatching(`a[a-z]{0,3}(=([a-zA-Z0-9+=/]|%[2-7][a-fA-F01789]){0,8})?(&b=[a-z]{0,2})?`)
	isForm := rapid.Bool().Draw(rt, "form")
	if isForm {
		q = xCaForm()
		q.Body = []byte(strings.NewReplacer("a", "c", "b", "d").Replace(query.Draw(rt, "form body")))
	} else {
		q.Body = rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(rt, "body")
	}
	q.URL = "https://Example.com:8443" + path + "?" + query.Draw(rt, "query")
	q.Cover = v1alpha1.ProfileXCa.Cover()
	if rapid.Bool().Draw(rt, "tenant") {
		q.Headers = append(q.Headers, authz.Header{Name: "X-Tenant", Value: rapid.StringMatching(`[!-~]([ -~]{0,16}[!-~])?`).Draw(rt, "value")})
		q.Cover = append(q.Cover, rapid.SampledFrom([]string{"x-tenant", "X-Tenant"}).Draw(rt, "spelled"))
	}
	if rapid.Bool().Draw(rt, "method named") {
		q.Algorithm = "hmac-sha256"
	}
	return q
}

// FuzzXCaParameters compares what is written of query and form with net/url's reading of them. Whatever is accepted can
// be read back: no other parameters are written the same.
func FuzzXCaParameters(f *testing.F) {
	f.Add("page=1&size=2", "item=7&note=two+words")
	f.Add("a-b=1&a=2=2&Empty=&&b", "")
	f.Add("a=%26", "b=1&b=2")
	f.Add("%3D=1&=", "city=%E5%8C%97%e4%ba%ac&%00=%ff")
	f.Add("a=%", "a=%4")
	f.Fuzz(func(t *testing.T, query, form string) {
		if strings.Contains(query+form, ";") {
			return // which net/url refuses, and is a byte like any other here
		}
		r := &authz.Request{Query: query, Headers: []authz.Header{{Name: "content-type", Value: "application/x-www-form-urlencoded"}}}
		r.Body = authz.Body{Bytes: []byte(form), State: authz.BodyWhole}
		got, err := appendParameters([]byte("/path"), r)

		inQuery, err1 := url.ParseQuery(query)
		inForm, err2 := url.ParseQuery(form)
		want, good := map[string]string{}, err1 == nil && err2 == nil
		for _, values := range []url.Values{inQuery, inForm} {
			for name, v := range values {
				_, twice := want[name]
				want[name] = v[0]
				good = good && !twice && len(v) == 1 && !strings.ContainsAny(name, "&=") && !strings.Contains(v[0], "&")
			}
		}
		if good = good && len(want) <= maxParameters; good != (err == nil) {
			t.Fatalf("got %q, %v, want accepted: %t", got, err, good)
		}
		if err != nil {
			return
		}
		text, ok := strings.CutPrefix(string(got), "/path")
		if len(want) == 0 {
			if !ok || text != "" {
				t.Errorf("got %q of no parameters", got)
			}
			return
		}
		text, ok = strings.CutPrefix(text, "?")
		read, last := map[string]string{}, ""
		for param := range strings.SplitSeq(text, "&") {
			name, value, _ := strings.Cut(param, "=")
			ok = ok && (len(read) == 0 || last < name)
			read[name], last = value, name
		}
		if diff := cmp.Diff(want, read); !ok || diff != "" {
			t.Errorf("%q does not read back in order (-want +got):\n%s", got, diff)
		}
	})
}

// FuzzXCaListed reads any list of signed fields within bounds, in order and each field once.
func FuzzXCaListed(f *testing.F) {
	f.Add("x-ca-key,x-ca-timestamp,x-ca-nonce")
	f.Add("X-Ca-Key, X-Ca-Nonce\t,,Accept,x-ca-signature,X-TENANT")
	f.Add("x-ca-key,X-Ca-Key")
	f.Add("x ca,K")
	f.Fuzz(func(t *testing.T, list string) {
		r := &authz.Request{Headers: []authz.Header{{Name: "x-ca-key", Value: "k"}, {Name: xCaListed, Value: list}}}
		var c claim
		if parseListed(r, &c) != nil {
			return
		}
		last := ""
		for i, k := range c.covered {
			spelled := string(c.params[k.from:k.to])
			if strings.ToLower(spelled) != k.name || i > 0 && spelled <= last || i >= maxComponents ||
				slices.Contains(xCaFixed, k.name) || !strings.Contains(list, spelled) {
				t.Errorf("%q: %q as %q after %q", list, spelled, k.name, last)
			}
			last = spelled
		}
	})
}
