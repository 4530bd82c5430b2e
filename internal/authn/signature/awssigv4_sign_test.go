package signature

import (
	"hash/maphash"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestSigV4Sign shows the whole of what signing gives. The signature in the query is that of the test suite's
// get-vanilla.
func TestSigV4Sign(t *testing.T) {
	q := SignRequest{
		Profile: v1alpha1.ProfileAWSSigV4, Method: "GET", URL: "https://example.amazonaws.com/#top", Created: awsTime,
		KeyID: awsKeyID, Key: awsSecret, Region: "us-east-1", Service: "service",
	}
	header, err := Sign(q)
	if err != nil {
		t.Fatal(err)
	}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	want := &Signed{
		URL: q.URL,
		Headers: []authz.Header{
			{Name: "X-Amz-Date", Value: "20150830T123600Z"},
			{Name: "X-Amz-Content-Sha256", Value: empty},
			{Name: "Authorization", Value: "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " +
				"SignedHeaders=host;x-amz-content-sha256;x-amz-date, " +
				"Signature=726c5c4879a6b4ccbbd3b24edbd6b8826d34f87450fbbf4e85546fc7ba9c1642"}, // by botocore 1.44.5
		},
		Base: strings.Join([]string{
			"AWS4-HMAC-SHA256", "20150830T123600Z", "20150830/us-east-1/service/aws4_request", "GET", "/", "",
			"host:example.amazonaws.com", "x-amz-content-sha256:" + empty, "x-amz-date:20150830T123600Z", "",
			"host;x-amz-content-sha256;x-amz-date", empty,
		}, "\n"),
	}
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}

	q.Presign, q.Expires = true, awsTime.Add(time.Hour)
	query, err := Sign(q)
	if err != nil {
		t.Fatal(err)
	}
	params := "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&" +
		"X-Amz-Date=20150830T123600Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host"
	want = &Signed{
		URL: "https://example.amazonaws.com/?" + params + "&X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
		Base: strings.Join([]string{
			"AWS4-HMAC-SHA256", "20150830T123600Z", "20150830/us-east-1/service/aws4_request", "GET", "/", params,
			"host:example.amazonaws.com", "", "host", empty,
		}, "\n"),
	}
	if diff := cmp.Diff(want, query); diff != "" {
		t.Errorf("presigned (-want +got):\n%s", diff)
	}
}

func TestSigV4SignErrors(t *testing.T) {
	for _, c := range []struct {
		edit func(*SignRequest)
		text string
	}{
		{func(q *SignRequest) { q.URL = "/orders" }, "use an absolute http or https URL"},
		{func(q *SignRequest) { q.KeyID = "" }, "keyid: name an access key"},
		{func(q *SignRequest) { q.KeyID = "a,b" }, "keyid: name an access key"},
		{func(q *SignRequest) { q.Region = "" }, "region and service: name both"},
		{func(q *SignRequest) { q.Service = "a/b" }, "region and service: name both"},
		{func(q *SignRequest) { q.Created = time.Time{} }, "created: is needed"},
		{func(q *SignRequest) { q.Expires = awsTime.Add(time.Hour) }, "expires: leave it out"},
		{func(q *SignRequest) { q.Presign, q.Expires = true, awsTime }, "expires: must be from a second"},
		{func(q *SignRequest) { q.Presign, q.Expires = true, awsTime.Add(7*24*time.Hour+time.Second) }, "expires: must be from a second"},
		{func(q *SignRequest) { q.Headers = []authz.Header{{Name: "X-Amz-Date", Value: "x"}} }, "leave out X-Amz-Date and Authorization"},
		{func(q *SignRequest) { q.Headers = []authz.Header{{Name: "Authorization", Value: "x"}} }, "leave out X-Amz-Date and Authorization"},
		{func(q *SignRequest) { q.Cover = []string{"x-gone"} }, "x-gone: it is covered, but not in the request"},
		{func(q *SignRequest) { q.Key = "a string" }, "the key fits no algorithm of the profile"},
		{func(q *SignRequest) { q.Algorithm = "ed25519" }, `the key does not fit algorithm "ed25519"`},
	} {
		q := awsOrder()
		c.edit(&q)
		if got, err := Sign(q); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("got %v, %v, want …%s…", got, err, c.text)
		}
	}
}

// BenchmarkSigV4 is Extract and Verify in both forms.
func BenchmarkSigV4(b *testing.B) {
	for _, c := range []struct {
		name    string
		body    int
		presign bool
	}{{"header", 0, false}, {"header, 1 KiB", 1 << 10, false}, {"presigned", 0, true}} {
		b.Run(c.name, func(b *testing.B) {
			q := awsOrder()
			q.Body, q.Presign = make([]byte, c.body), c.presign
			s, r := newAWSScheme(b, func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = always{} }), awsSigned(b, q)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := check(s, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSigV4Key derives a key, and finds one that it has derived.
func BenchmarkSigV4Key(b *testing.B) {
	scope := []byte("20150830/us-east-1/execute-api/aws4_request")
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			deriveKey(awsSecret, scope)
		}
	})
	b.Run("known", func(b *testing.B) {
		keys := &derivedKeys{seed: maphash.MakeSeed()}
		b.ReportAllocs()
		for b.Loop() {
			keys.key(awsSecret, scope)
		}
	})
}
