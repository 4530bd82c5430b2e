package signature

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/replay"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// The key and the time of the AWS test suite, which AWS publishes.
const (
	awsKeyID  = "AKIDEXAMPLE"
	awsSecret = authz.Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
)

var awsTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func awsKeys() keys {
	k := keys{}
	for _, id := range []string{awsKeyID, "partners/acme/1"} {
		k.add("rfc", &keystore.SigningKey{ID: id, Secret: awsSecret})
	}
	return k
}

// newAWSScheme makes a scheme of the profile; edit, unless nil, changes it first.
func newAWSScheme(t testing.TB, edit func(*v1alpha1.SignatureScheme, *Options)) *scheme {
	t.Helper()
	return newScheme(t, awsKeys(), func(spec *v1alpha1.SignatureScheme, o *Options) {
		o.Replay = replay.NewLocal(1<<20, func() time.Time { return awsTime })
		spec.Profile = v1alpha1.ProfileAWSSigV4
		spec.AWSSigV4 = &v1alpha1.AWSSigV4Options{Regions: []string{"us-east-1"}, Services: []string{"service", "execute-api", "s3"}}
		if edit != nil {
			edit(spec, o)
		}
	})
}

// awsOrder is a request with a body and a query, to be signed with the example key.
func awsOrder() SignRequest {
	return SignRequest{
		Profile: v1alpha1.ProfileAWSSigV4, Method: "POST", URL: "https://api.example.com/orders?b=2&a=1", Body: []byte(`{"item": 7}`),
		Headers: []authz.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "X-Env", Value: "prod"}},
		KeyID:   awsKeyID, Key: awsSecret, Created: awsTime, Region: "us-east-1", Service: "execute-api", Cover: []string{"x-env"},
	}
}

// awsSigned returns the request of q, signed, as it arrives right away.
func awsSigned(t testing.TB, q SignRequest) *authz.Request {
	t.Helper()
	out, err := Sign(q)
	if err != nil {
		t.Fatal(err)
	}
	q.URL, q.Headers = out.URL, append(slices.Clip(q.Headers), out.Headers...)
	r, err := q.request()
	if err != nil {
		t.Fatal(err)
	}
	r.Now = awsTime
	return r
}

// TestSigV4Vectors verifies what others have signed: the test suite of aws-c-auth, botocore and requests-aws4auth. The
// base is theirs, and the answer as written, or else it is the key's App.
func TestSigV4Vectors(t *testing.T) {
	s := newAWSScheme(t, func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Replay = v1alpha1.ReplayAllow })
	archives(t, "aws-sigv4", func(t *testing.T, file func(string) string) {
		for _, form := range []string{"header", "query", "request"} {
			if file(form) == "" {
				continue
			}
			r := readRequest(t, []byte(file(form)))
			r.Now = awsTime
			want := strings.TrimSpace(file(form + "-want"))

			w := newWork()
			if err := s.profile.parse(r, &w.claim); err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			if want == "" {
				want = "app:rfc/" + w.claim.keyID
			}
			_, err := s.prove(context.Background(), r, w)
			diff := cmp.Diff(strings.TrimSuffix(file(form+"-base"), "\n"), string(w.base))
			if refused := want == authz.ReasonBadSignature.String(); refused != (err != nil) || refused != (diff != "") {
				t.Errorf("%s: %v; base (-want +got):\n%s", form, err, diff)
			}
			w.release()

			p, err := check(s, r)
			got := authz.ReasonOf(err).String()
			if err == nil {
				got = p.Subject
			}
			if got != want {
				t.Errorf("%s: answer %q (%v), want %q", form, got, err, want)
			}
		}
	})
}

// TestSigV4Accepted is what unmodified clients do, and what a scheme can allow.
func TestSigV4Accepted(t *testing.T) {
	presigned := func(q *SignRequest) { q.Presign, q.Expires = true, awsTime.Add(10*time.Minute) }
	unsigned := func(q *SignRequest) {
		q.Headers = append(q.Headers, authz.Header{Name: "X-Amz-Content-Sha256", Value: unsignedPayload})
	}
	anyBody := func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Body = v1alpha1.BodyUnbound }
	for name, c := range map[string]struct {
		sign   func(*SignRequest)
		arrive func(*authz.Request)
		scheme func(*v1alpha1.SignatureScheme, *Options)
	}{
		"header":                    {},
		"header, hmac-sha256":       {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha256" }},
		"header, parts in disorder": {arrive: reorderAuthorization(","), sign: nil},
		"header, spaces between":    {arrive: reorderAuthorization(" , ")},
		"presigned":                 {sign: presigned},
		"presigned, without expiry": {sign: func(q *SignRequest) { q.Presign = true }},
		"presigned, late":           {sign: presigned, arrive: func(r *authz.Request) { r.Now = awsTime.Add(10*time.Minute - time.Second) }},
		"presigned, early":          {sign: presigned, arrive: func(r *authz.Request) { r.Now = awsTime.Add(-5 * time.Minute) }},
		"presigned, hash in query":  {sign: func(q *SignRequest) { presigned(q); q.URL += "&X-Amz-Content-Sha256=" + payloadOf(q) }},
		"presigned, hash in a field": {sign: func(q *SignRequest) {
			presigned(q)
			q.Headers = append(q.Headers, authz.Header{Name: "X-Amz-Content-Sha256", Value: payloadOf(q)})
		}},
		"presigned S3, no body":       {sign: func(q *SignRequest) { presigned(q); q.Service, q.Body = "s3", nil }},
		"presigned S3, unbound":       {sign: func(q *SignRequest) { presigned(q); q.Service = "s3" }, scheme: anyBody},
		"presigned S3, hash in query": {sign: func(q *SignRequest) { presigned(q); q.Service = "s3"; q.URL += "&X-Amz-Content-Sha256=" + payloadOf(q) }},
		"unsigned, no body":           {sign: func(q *SignRequest) { unsigned(q); q.Body = nil }},
		"unsigned, unbound":           {sign: unsigned, scheme: anyBody},
		"unsigned, withheld, unbound": {sign: unsigned, scheme: anyBody, arrive: func(r *authz.Request) { r.Body = authz.Body{State: authz.BodyWithheld} }},
		"bound, withheld, unbound":    {scheme: anyBody, arrive: func(r *authz.Request) { r.Body = authz.Body{State: authz.BodyWithheld} }},
		"token added":                 {arrive: addField("x-amz-security-token", "x")},
		"field with blanks":           {arrive: setField("x-env", " \t prod ")},
		"field added":                 {arrive: addField("x-request-id", "1")},
		"parameters in disorder":      {arrive: func(r *authz.Request) { r.Query = "a=1&b=2" }},
		"external authority": {
			arrive: func(r *authz.Request) { r.Host = "inner.test:8080" },
			scheme: func(spec *v1alpha1.SignatureScheme, _ *Options) {
				spec.External = &v1alpha1.ExternalOrigin{Authority: "api.example.com"}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := awsOrder()
			if c.sign != nil {
				c.sign(&q)
			}
			r := awsSigned(t, q)
			if c.arrive != nil {
				c.arrive(r)
			}
			if p, err := check(newAWSScheme(t, c.scheme), r); err != nil || p.Subject != "app:rfc/"+awsKeyID {
				t.Errorf("got %v, %v", p, err)
			}
		})
	}
}

func payloadOf(q *SignRequest) string { return hex.EncodeToString(sum256(q.Body)) }

func reorderAuthorization(separator string) func(*authz.Request) {
	return func(r *authz.Request) {
		parts := strings.Split(strings.TrimPrefix(header(r, "authorization"), sigV4Name+" "), ", ")
		slices.Reverse(parts)
		setHeader(r, "authorization", sigV4Name+" "+strings.Join(parts, separator))
	}
}

// TestSigV4PresignedAge shows that maxAge ends a presigned URL before its own expiry.
func TestSigV4PresignedAge(t *testing.T) {
	q := awsOrder()
	q.Presign, q.Expires = true, awsTime.Add(time.Hour)
	r := awsSigned(t, q)
	r.Now = awsTime.Add(16 * time.Minute)
	p, err := check(newAWSScheme(t, nil), r)
	wantRefused(t, p, err, authz.ReasonClockSkew, "older than maxAge")
	hour := func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.MaxAge = seconds(3600) }
	if _, err := check(newAWSScheme(t, hour), r); err != nil {
		t.Error(err)
	}
}

// TestSigV4Replay counts what was signed once, however the query or the signature's parts are written.
func TestSigV4Replay(t *testing.T) {
	for name, again := range map[string]func(*authz.Request){
		"as it was":              func(*authz.Request) {},
		"parameters in disorder": func(r *authz.Request) { r.Query = "a=1&b=2" },
		"parts in disorder":      reorderAuthorization(","),
		"token added":            addField("x-amz-security-token", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			s, r := newAWSScheme(t, nil), awsSigned(t, awsOrder())
			if _, err := check(s, r); err != nil {
				t.Fatal(err)
			}
			again(r)
			p, err := check(s, r)
			wantRefused(t, p, err, authz.ReasonReplayed, "accepted before")
		})
	}
}

// TestSigV4ExpiredReplay sends a presigned URL once more when it has expired and is forgotten, in a spelling that has the
// same canonical form.
func TestSigV4ExpiredReplay(t *testing.T) {
	at := awsTime
	q := awsOrder()
	q.Presign, q.Expires = true, at.Add(time.Minute)
	s := newAWSScheme(t, func(spec *v1alpha1.SignatureScheme, o *Options) {
		o.Replay = replay.NewLocal(1<<20, func() time.Time { return at })
		spec.ClockSkew = seconds(1)
	})
	r := awsSigned(t, q)
	if _, err := check(s, r); err != nil {
		t.Fatal(err)
	}
	at = at.Add(5 * time.Minute)
	r.Now = at
	editQuery("X-Amz-Expires=", "X-Amz-Expire%73=")(r)
	p, err := check(s, r)
	wantRefused(t, p, err, authz.ReasonMalformedCredential, "presigned URL")
}

func TestSigV4Challenge(t *testing.T) {
	want := `AWS4-HMAC-SHA256 realm="shop", region="us-east-1", service="service execute-api s3"`
	if got := newAWSScheme(t, nil).Challenge("shop").String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSigV4Explain tells the canonical request, which a hash would hide.
func TestSigV4Explain(t *testing.T) {
	r := awsSigned(t, awsOrder())
	r.Method = "PUT"
	_, err := check(newAWSScheme(t, func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Explain = true }), r)
	failure, ok := errors.AsType[*authz.Failure](err)
	if !ok || failure.Explanation == nil || !strings.Contains(failure.Explanation.Text, "\nPUT\n/orders\na=1&b=2\ncontent-type:application/json\n") {
		t.Errorf("got %v: %+v", err, failure)
	}
}

// TestSigV4UnknownKey derives a key for an unknown id, as for a known one.
func TestSigV4UnknownKey(t *testing.T) {
	s, w := newAWSScheme(t, nil), newWork()
	defer w.release()
	if err := s.candidates(nil, w, errUnknown, true); !errors.Is(err, errUnknown) || len(w.keys) != 1 || !w.keys[0].dummy || w.keys[0].algorithm != s.accepted[0] {
		t.Errorf("got %v, tries %v", err, w.keys)
	}
}

// TestSigV4ChangedSecret derives the key of a secret that has changed under the same id and scope anew.
func TestSigV4ChangedSecret(t *testing.T) {
	q := awsOrder()
	store := awsKeys()
	s := newAWSScheme(t, func(_ *v1alpha1.SignatureScheme, o *Options) { o.Stores, o.Replay = []keystore.Store{store}, always{} })
	if _, err := check(s, awsSigned(t, q)); err != nil {
		t.Fatal(err)
	}
	delete(store, awsKeyID)
	store.add("rfc", &keystore.SigningKey{ID: awsKeyID, Secret: "another"})
	p, err := check(s, awsSigned(t, q))
	wantRefused(t, p, err, authz.ReasonBadSignature, "does not verify")
	q.Key = authz.Secret("another")
	if _, err := check(s, awsSigned(t, q)); err != nil {
		t.Error(err)
	}
}

func TestSigV4Options(t *testing.T) {
	for _, o := range []*v1alpha1.AWSSigV4Options{nil, {Regions: []string{"us-east-1"}}, {Services: []string{"s3"}}} {
		spec := &v1alpha1.SignatureScheme{Profile: v1alpha1.ProfileAWSSigV4, AWSSigV4: o}
		setDefaults(spec, "rfc")
		if _, err := New(spec, Options{Replay: newMemory()}); err == nil || !strings.HasPrefix(err.Error(), "awsSigV4: name at least one") {
			t.Errorf("%+v: got %v", o, err)
		}
	}
}
