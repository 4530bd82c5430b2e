package signature

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestTampered changes one bit, anywhere in what is covered, and the request is refused. Only another case of the host
// is the same host, and accepted.
func TestTampered(t *testing.T) {
	store := rfcKeys(t)
	rapid.Check(t, func(rt *rapid.T) {
		q := drawRequest(t, rt)
		if _, err := check(newScheme(t, store, nil), signed(t, q)); err != nil {
			rt.Fatalf("untouched: %v", err)
		}
		r := signed(t, q)
		part := rapid.SampledFrom(coveredParts(r)).Draw(rt, "part")
		bit := rapid.IntRange(0, 8*len(*part.text)-1).Draw(rt, "bit")
		b := []byte(*part.text)
		b[bit/8] ^= 1 << (bit % 8)
		same := part.folded && strings.EqualFold(string(b), *part.text)
		*part.text = string(b)
		if part.body {
			r.Body.Bytes = b
		}
		if _, err := check(newScheme(t, store, nil), r); (err == nil) != same {
			rt.Fatalf("%s with bit %d flipped is %q: got %v, want accepted: %t", part.name, bit, *part.text, err, same)
		}
	})
}

func drawRequest(t testing.TB, rt *rapid.T) SignRequest {
	q := order(t)
	q.Method = rapid.SampledFrom([]string{"GET", "POST", "DELETE"}).Draw(rt, "method")
	path := rapid.StringMatching(`(/[a-zA-Z0-9._~-]{1,8}){1,4}`).Draw(rt, "path")
	query := rapid.StringMatching(`[a-z]{1,4}=[a-zA-Z0-9%+]{0,8}`).Draw(rt, "query")
	q.URL = "https://Example.com:8443" + path + "?" + query
	q.Body = rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(rt, "body")
	q.Headers = nil
	q.Cover = v1alpha1.ProfileRFC9421.Cover()
	for i := range rapid.IntRange(0, 4).Draw(rt, "headers") {
		name := fmt.Sprintf("x-%d", i)
		q.Headers = append(q.Headers, authz.Header{Name: name, Value: rapid.StringMatching(`[!-~]([ -~]{0,16}[!-~])?`).Draw(rt, name)})
		q.Cover = append(q.Cover, name)
	}
	q.Cover = append(q.Cover, "content-digest")
	if rapid.Bool().Draw(rt, "expires") {
		q.Expires = now.Add(60e9)
	}
	q.Nonce = rapid.StringMatching(`[ -~]{0,8}`).Draw(rt, "nonce")
	return q
}

// part is text of the request that the signature covers.
type part struct {
	name         string
	text         *string
	folded, body bool
}

func coveredParts(r *authz.Request) []part {
	body := string(r.Body.Bytes)
	parts := []part{
		{name: "method", text: &r.Method},
		{name: "host", text: &r.Host, folded: true},
		{name: "path", text: &r.Path},
		{name: "query", text: &r.Query},
		{name: "body", text: &body, body: true},
	}
	for i := range r.Headers {
		// The label stands for nothing, so what follows it is looked at.
		h := &r.Headers[i]
		parts = append(parts, part{name: h.Name, text: &h.Value})
	}
	return parts
}

// TestTamperedLabel shows the one part of the fields that is not covered, and that changing it gains nothing.
func TestTamperedLabel(t *testing.T) {
	r := signed(t, order(t))
	setHeader(r, "signature-input", strings.Replace(header(r, "signature-input"), "sig1", "sig2", 1))
	p, err := check(newScheme(t, rfcKeys(t), nil), r)
	wantRefused(t, p, err, authz.ReasonMalformedCredential, "same labels")
}
