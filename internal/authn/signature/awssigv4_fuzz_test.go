package signature

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
)

// TestSigV4Tampered changes one bit, anywhere in what is signed, and the request is refused. Only the case of an
// escape's digits means nothing where it is decoded.
func TestSigV4Tampered(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := drawAWSRequest(rt)
		if _, err := check(newAWSScheme(t, nil), awsSigned(t, q)); err != nil {
			rt.Fatalf("untouched: %v", err)
		}
		r := awsSigned(t, q)
		part := rapid.SampledFrom(coveredParts(r)).Draw(rt, "part")
		bit := rapid.IntRange(0, 8*len(*part.text)-1).Draw(rt, "bit")
		b := []byte(*part.text)
		b[bit/8] ^= 1 << (bit % 8)
		decoded := part.name == "query" || part.name == "path" && q.Service == "s3"
		same := decoded && upperEscapes(string(b)) == upperEscapes(*part.text)
		*part.text = string(b)
		if part.body {
			r.Body.Bytes = b
		}
		if _, err := check(newAWSScheme(t, nil), r); (err == nil) != same {
			rt.Fatalf("%s with bit %d flipped is %q: got %v, want accepted: %t", part.name, bit, *part.text, err, same)
		}
	})
}

var escapes = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func upperEscapes(s string) string { return escapes.ReplaceAllStringFunc(s, strings.ToUpper) }

func drawAWSRequest(rt *rapid.T) SignRequest {
	q := awsOrder()
	q.Method = rapid.SampledFrom([]string{"POST", "PUT", "DELETE"}).Draw(rt, "method")
	q.Service = rapid.SampledFrom([]string{"execute-api", "s3"}).Draw(rt, "service")
	q.Presign = q.Service != "s3" && rapid.Bool().Draw(rt, "presign") // a presigned URL of S3 leaves the body unsigned
	path := rapid.StringMatching(`(/[a-zA-Z0-9~_:@-]{1,8}(%2[0BF])?){1,3}/?`).Draw(rt, "path")
	query := rapid.StringMatching(`[a-z]{1,3}=[a-zA-Z0-9/:~+]{0,8}(%2[0BF])?(&[a-z]{1,3}(=[a-z0-9]{0,3})?){0,3}`).Draw(rt, "query")
	q.URL = "https://Api.example.com:8443" + path + "?" + query
	q.Body = rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(rt, "body")
	q.Headers, q.Cover = nil, nil
	for i := range rapid.IntRange(0, 4).Draw(rt, "headers") {
		name := fmt.Sprintf("x-%d", i)
		q.Headers = append(q.Headers, authz.Header{Name: name, Value: rapid.StringMatching(`[!-~]([ -~]{0,16}[!-~])?`).Draw(rt, name)})
		q.Cover = append(q.Cover, name)
	}
	if q.Presign && rapid.Bool().Draw(rt, "expires") {
		q.Expires = awsTime.Add(time.Minute)
	}
	return q
}

// FuzzSigV4 reads whatever is there. What can be read has at most six bases, of text alone, and whoever signs any of
// them is believed.
func FuzzSigV4(f *testing.F) {
	paths, err := filepath.Glob("testdata/aws-sigv4/*.txtar")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if file.Name == "header" || file.Name == "query" || file.Name == "request" {
				r := readRequest(f, file.Data)
				f.Add(r.Path, r.Query, header(r, "authorization"), header(r, "x-amz-date"), header(r, "my-header1"))
			}
		}
	}
	s := newAWSScheme(f, nil)
	algorithm := newSigV4()
	f.Fuzz(func(t *testing.T, path, query, authorization, date, value string) {
		r := &authz.Request{
			Method: "GET", Host: "example.amazonaws.com", Path: path, Query: query, HasQuery: query != "", RawHeaders: true, Now: awsTime,
			Headers: []authz.Header{{Name: "authorization", Value: authorization}, {Name: "x-amz-date", Value: date}, {Name: "my-header1", Value: value}},
		}
		w := newWork()
		defer w.release()
		c := &w.claim
		if s.profile.parse(r, c) != nil {
			return
		}
		believer := *s
		store := keys{}
		store.add("rfc", &keystore.SigningKey{ID: c.keyID, Secret: awsSecret})
		believer.stores = []keystore.Store{store}
		for n, more := 0, true; more; n++ {
			if n == 6 {
				t.Fatal("more than six bases")
			}
			base, again, err := s.profile.base(r, c, n, nil)
			if err != nil {
				return
			}
			if !isText(strings.ReplaceAll(string(base), "\n", "")) {
				t.Fatalf("base %d is no text: %q", n, base)
			}
			if c.signature, err = algorithm.signs(awsSecret, base); err != nil {
				t.Fatal(err)
			}
			if _, err := believer.prove(context.Background(), r, w); err != nil {
				t.Fatalf("base %d is signed: %v", n, err)
			}
			w.keys = w.keys[:0]
			more = again
		}
	})
}

// FuzzSigV4Query writes the canonical form of a query, which is its own canonical form.
func FuzzSigV4Query(f *testing.F) {
	for _, seed := range []string{"", "a", "a=", "=", "b=2&a=1", "a=1&a=0", "a-b=1&a=2", "x=%2f&y=a+b", "%E1%88%B4=bar", "&&a&&", "X-Amz-Signature=0&a=1", "a=b=c", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, as := range []sigV4Query{queryPlus, querySpace, queryVerbatim} {
			once, err := appendSigV4Query([]byte("before"), query, as)
			if err != nil {
				continue
			}
			text := strings.TrimPrefix(string(once), "before")
			if again, err := appendSigV4Query(nil, text, as); err != nil || string(again) != text {
				t.Fatalf("reading %d of %q is %q, and of that %q, %v", as, query, text, again, err)
			}
			if as != queryVerbatim && !isEncodedQuery(text) {
				t.Fatalf("reading %d of %q is %q, which is not encoded", as, query, text)
			}
		}
	})
}
