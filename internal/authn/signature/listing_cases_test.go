package signature

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestListing has what the three profiles have in common, accepted and refused.
func TestListing(t *testing.T) {
	for _, p := range listings {
		target := p.Cover()[0]
		covering := func(names ...string) func(*SignRequest) { return cover(append([]string{target}, names...)...) }
		t.Run(string(p), func(t *testing.T) {
			testListing(t, p, map[string]listingCase{
				"as it is":       {},
				"without a body": {sign: func(q *SignRequest) { q.Body = nil }},
				"without a body that must be bound": {
					sign: signedBy(func(q *SignRequest) { q.Body = nil }, covering("host", "date", "digest")),
					spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyRequired },
				},
				"the date made by Sign": {sign: func(q *SignRequest) { q.Headers = nil }},
				"a date of RFC 850":     {sign: func(q *SignRequest) { q.Headers[1].Value = "Tuesday, 20-Apr-21 02:07:55 GMT" }},
				"a date of asctime":     {sign: func(q *SignRequest) { q.Headers[1].Value = "Tue Apr 20 02:07:55 2021" }},
				"blanks around a value": {request: func(r *authz.Request) { setHeader(r, "date", " \t"+header(r, "date")+"  ") }},
				"another case of the scheme": {request: func(r *authz.Request) {
					v := header(r, "authorization")
					setHeader(r, "authorization", strings.ToUpper(v[:4])+v[4:])
				}},
				"blanks between parameters": {request: func(r *authz.Request) {
					setHeader(r, "authorization", strings.ReplaceAll(strings.ReplaceAll(header(r, "authorization"), `",`, "\" ,\t"), `headers="`, `headers = "`)+" ")
				}},
				"an unknown parameter": {request: func(r *authz.Request) { setHeader(r, "authorization", header(r, "authorization")+`,x="1",y=2`) }},
				"the host as clients know it": {
					spec: func(s *v1alpha1.SignatureScheme, _ *Options) {
						s.External = &v1alpha1.ExternalOrigin{Authority: "example.com"}
					},
					sign:    covering("host", "date", "digest"),
					request: func(r *authz.Request) { r.Host = "internal" },
				},
				"SHA-512 beside SHA-256":   {sign: with("Digest", rightOldDigest+", sha-512=nhkSKo3G7eRUDc6npnxlQuibUwZK1bLF+bGw8694Kb4o3pAMGW1P2WKZqpMT9banrJCvUoG0CBUpYh4mRh8uQg==")},
				"another digest beside it": {sign: with("Digest", "MD5=x,unixsum=30637, "+rightOldDigest)},

				"nothing":         {request: without("authorization"), reason: authz.ReasonNoCredential, text: "no signature that lists"},
				"another scheme":  {request: setTo("authorization", `Bearer keyId="x"`), reason: authz.ReasonNoCredential, text: "no signature that lists"},
				"a longer scheme": {request: func(r *authz.Request) { setHeader(r, "authorization", "x"+header(r, "authorization")) }, reason: authz.ReasonNoCredential, text: "no signature that lists"},
				"the scheme alone": {request: func(r *authz.Request) {
					word, _, _ := strings.Cut(header(r, "authorization"), " ")
					setHeader(r, "authorization", word)
				}, reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"two lines":           {request: added("authorization", "Bearer x"), reason: authz.ReasonAmbiguousCredential, text: "more than once"},
				"joined with another": {request: func(r *authz.Request) { setHeader(r, "authorization", header(r, "authorization")+",Bearer x") }, reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"too long":            {request: replaceIn("authorization", `headers="`, `headers="`+strings.Repeat("x", 8<<10)), reason: authz.ReasonMalformedCredential, text: "longer than 8 KiB"},
				"a quote in a value":  {request: replaceIn("authorization", `headers="`, `headers=""`), reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"a backslash":         {request: replaceIn("authorization", `shared-secret"`, `shared-secret\"`), reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"an open quote": {request: func(r *authz.Request) {
					setHeader(r, "authorization", strings.TrimSuffix(header(r, "authorization"), `"`))
				}, reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"a final comma":           {request: func(r *authz.Request) { setHeader(r, "authorization", header(r, "authorization")+",") }, reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"no comma":                {request: replaceIn("authorization", `",`, `" `), reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"no value":                {request: replaceIn("authorization", `signature=`, `signature;`), reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"no name":                 {request: replaceIn("authorization", `signature=`, `=`), reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"a control byte":          {request: replaceIn("authorization", `shared-secret"`, "shared-secret\x00\""), reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"no ASCII":                {request: replaceIn("authorization", `shared-secret"`, `shared-secrét"`), reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"a string without quotes": {request: replaceIn("authorization", `"test-shared-secret"`, `test-shared-secret`), reason: authz.ReasonMalformedCredential, text: "parameters are not"},
				"signature twice":         {request: func(r *authz.Request) { setHeader(r, "authorization", header(r, "authorization")+`,signature="AAAA"`) }, reason: authz.ReasonAmbiguousCredential, text: "a parameter of the signature occurs twice"},
				"no key id":               {request: replaceIn("authorization", keyParameter(p), "x"), reason: authz.ReasonMalformedCredential, text: "must be there is missing"},
				"no signature":            {request: replaceIn("authorization", "signature=", "x="), reason: authz.ReasonMalformedCredential, text: "must be there is missing"},
				"not base64":              {request: replaceIn("authorization", `signature="`, `signature="*`), reason: authz.ReasonMalformedCredential, text: "not base64"},
				"a wrong signature": {request: func(r *authz.Request) {
					before, _, _ := strings.Cut(header(r, "authorization"), `signature="`)
					setHeader(r, "authorization", before+`signature="AAAA"`)
				}, reason: authz.ReasonBadSignature, text: "does not verify"},

				"an empty list":     {request: replaceIn("authorization", `headers="`+strings.Join(append(p.Cover(), "digest"), " ")+`"`, `headers=""`), reason: authz.ReasonMalformedCredential, text: "headers is not a list"},
				"two spaces":        {request: replaceIn("authorization", " date", "  date"), reason: authz.ReasonMalformedCredential, text: "headers is not a list"},
				"a name twice":      {request: replaceIn("authorization", " date", " date Date"), reason: authz.ReasonMalformedCredential, text: "headers is not a list"},
				"no field's name":   {request: replaceIn("authorization", " date", " (date)"), reason: authz.ReasonMalformedCredential, text: "headers is not a list"},
				"too many names":    {request: replaceIn("authorization", " date", manyNames(65)+" date"), reason: authz.ReasonMalformedCredential, text: "more than 64 components"},
				"one name more":     {request: replaceIn("authorization", ` digest"`, ` digest content-type"`), reason: authz.ReasonBadSignature, text: "does not verify"},
				"one name less":     {request: replaceIn("authorization", ` digest"`, `"`), reason: authz.ReasonBadSignature, text: "does not verify"},
				"in another order":  {request: replaceIn("authorization", `date digest"`, `digest date"`), reason: authz.ReasonBadSignature, text: "does not verify"},
				"unknown key":       {sign: func(q *SignRequest) { q.KeyID = "nobody" }, reason: authz.ReasonUnknownKey, text: "no signing key has"},
				"unknown algorithm": {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha256" }, request: replaceIn("authorization", "hmac-sha256", "hmac-md5"), reason: authz.ReasonAlgorithmRefused, text: "no accepted algorithm fits"},
				"another algorithm": {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha512" }, request: replaceIn("authorization", "hmac-sha512", "hmac-sha256"), reason: authz.ReasonBadSignature, text: "does not verify"},
				"SHA-1 not named":   {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha1" }, reason: authz.ReasonAlgorithmRefused, text: "no accepted algorithm fits"},
				"SHA-1 named":       {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha1" }, spec: sha1Too},

				"another method":           {request: func(r *authz.Request) { r.Method = "PUT" }, reason: authz.ReasonBadSignature, text: "does not verify"},
				"a lower-case method":      {request: func(r *authz.Request) { r.Method = "Post" }, reason: authz.ReasonBadSignature, text: "the method is not in capitals"},
				"a method like a name":     {request: func(r *authz.Request) { r.Method = "DATE:" }, reason: authz.ReasonBadSignature, text: "the method is not in capitals"},
				"another path":             {request: func(r *authz.Request) { r.Path = "/Orders" }, reason: authz.ReasonBadSignature, text: "does not verify"},
				"another query":            {request: func(r *authz.Request) { r.Query = "page=2" }, reason: authz.ReasonBadSignature, text: "does not verify"},
				"no query":                 {request: func(r *authz.Request) { r.Query, r.HasQuery = "", false }, reason: authz.ReasonBadSignature, text: "does not verify"},
				"a target of no path":      {request: func(r *authz.Request) { r.Path = "*" }, reason: authz.ReasonBadSignature, text: "the request target is not a path"},
				"a line break in the path": {request: func(r *authz.Request) { r.Path = "/\ndate: x" }, reason: authz.ReasonBadSignature, text: "a control byte"},
				"a line break in a value":  {sign: signedBy(with("X-A", "1"), covering("host", "date", "digest", "x-a")), request: setTo("x-a", "1\nx-b: 2"), reason: authz.ReasonBadSignature, text: "x-a: its value holds a control byte"},
				"a value of no ASCII":      {sign: signedBy(with("X-A", "1"), covering("host", "date", "digest", "x-a")), request: setTo("x-a", "é"), reason: authz.ReasonBadSignature, text: "x-a: its value holds a control byte"},
				"another host":             {sign: covering("host", "date", "digest"), request: func(r *authz.Request) { r.Host = "example.org" }, reason: authz.ReasonBadSignature, text: "does not verify"},

				"not covered: the target": {sign: cover("host", "date", "digest"), reason: authz.ReasonNotCovered, text: "does not cover " + target},
				"not covered: a field": {
					spec:   func(s *v1alpha1.SignatureScheme, _ *Options) { s.Cover = []string{target, "x-tenant"} },
					reason: authz.ReasonNotCovered, text: "does not cover x-tenant",
				},
				"not covered: the body": {sign: covering("host", "date"), reason: authz.ReasonNotCovered, text: "does not bind the body"},
				"no date":               {request: without("date"), reason: authz.ReasonNotCovered, text: "does not say when it was created"},
				"no HTTP date":          {sign: func(q *SignRequest) { q.Headers[1].Value = "Tue, 20 Apr 2021 02:07:55 GMT" }, request: setTo("date", "2021-04-20T02:07:55Z"), reason: authz.ReasonMalformedCredential, text: "not one HTTP date"},
				"two dates":             {request: added("date", "Tue, 20 Apr 2021 02:07:55 GMT"), reason: authz.ReasonMalformedCredential, text: "not one HTTP date"},
				"too old":               {request: func(r *authz.Request) { r.Now = r.Now.Add(6 * time.Minute) }, reason: authz.ReasonClockSkew, text: "older than maxAge"},
				"in the future":         {request: func(r *authz.Request) { r.Now = r.Now.Add(-6 * time.Minute) }, reason: authz.ReasonClockSkew, text: "created in the future"},

				"another body":          {request: func(r *authz.Request) { r.Body.Bytes = []byte("x") }, reason: authz.ReasonBodyMismatch, text: "the digest in Digest"},
				"another digest":        {request: setTo("digest", "SHA-256=AAAA"), reason: authz.ReasonBadSignature, text: "does not verify"},
				"a digest not listed":   {sign: signedBy(with("Digest", rightOldDigest), covering("host", "date")), reason: authz.ReasonNotCovered, text: "does not bind the body"},
				"the body cut":          {request: func(r *authz.Request) { r.Body.State = authz.BodyPartial }, reason: authz.ReasonBodyTooLarge, text: "only the beginning"},
				"the body withheld":     {request: func(r *authz.Request) { r.Body = authz.Body{State: authz.BodyWithheld} }, reason: authz.ReasonBodyUnavailable, text: "set with_request_body"},
				"a digest of no worth":  {sign: with("Digest", "MD5=CY9rzUYh03PK3k6DJie09g==,sha=x"), reason: authz.ReasonNotCovered, text: "neither sha-256 nor sha-512"},
				"a digest malformed":    {sign: with("Digest", "SHA-256"), reason: authz.ReasonMalformedCredential, text: "Digest is not a list"},
				"a digest of no base64": {sign: with("Digest", "SHA-256=abc"), reason: authz.ReasonMalformedCredential, text: "Digest is not a list"},
				"a digest twice":        {sign: with("Digest", rightOldDigest+","+strings.ToLower(rightOldDigest[:8])+rightOldDigest[8:]), reason: authz.ReasonMalformedCredential, text: "each algorithm once"},
				"a digest half right":   {sign: with("Digest", rightOldDigest+",SHA-512=AAAA"), reason: authz.ReasonBodyMismatch, text: "the digest in Digest"},
				"nobody knows of a body": {sign: func(q *SignRequest) { q.Body = nil }, request: func(r *authz.Request) { r.Body.State = authz.BodyUnknown },
					reason: authz.ReasonBodyUnavailable, text: "the signature must bind it, even if it is empty"},
			})
		})
	}
}

// TestListingReplayed accepts a request once, however the second copy is dressed up.
func TestListingReplayed(t *testing.T) {
	for _, p := range listings {
		for name, again := range map[string]func(*authz.Request){
			"as it was":                  func(*authz.Request) {},
			"a field that is not listed": added("x-new", "1"),
			"an unknown parameter":       func(r *authz.Request) { setHeader(r, "authorization", header(r, "authorization")+`,x="1"`) },
			"respaced":                   replaceIn("authorization", `",`, `" ,  `),
		} {
			s, r := newListingScheme(t, p, nil), signed(t, listingOrder(t, p))
			if _, err := check(s, r); err != nil {
				t.Fatal(err)
			}
			again(r)
			who, err := check(s, r)
			if reason := authz.ReasonOf(err); who != nil || reason != authz.ReasonReplayed {
				t.Errorf("%s, %s: %v, %v", p, name, who, err)
			}
		}
	}
}

func TestListingSignErrors(t *testing.T) {
	for _, p := range listings {
		for _, c := range []struct {
			edit func(*SignRequest)
			text string
		}{
			{func(q *SignRequest) { q.KeyID = `a"b` }, "keyid must be printable ASCII"},
			{func(q *SignRequest) { q.URL = "/orders" }, "use an absolute http or https URL"},
			{func(q *SignRequest) { q.Method = "post" }, "the method is not in capitals"},
			{func(q *SignRequest) { q.Algorithm = "hmac-md5" }, `does not fit algorithm "hmac-md5"`},
			{func(q *SignRequest) { q.Key = nil }, "the key"},
			{func(q *SignRequest) { q.Headers, q.Created = nil, time.Time{} }, "set created, or give and cover Date"},
			{func(q *SignRequest) { q.Headers[1].Value = "today" }, "not one HTTP date"},
			{cover("date", "Date"), "cover: malformed_credential: headers is not a list"},
			{cover("@path", "date"), "cover: malformed_credential: headers is not a list"},
		} {
			q := listingOrder(t, p)
			c.edit(&q)
			if got, err := Sign(q); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: got %v, %v, want …%s…", p, got, err, c.text)
			}
		}
	}
	for p, want := range map[v1alpha1.SignatureProfile]string{
		v1alpha1.ProfileCavage: "x-gone: it is covered, but not in the request", v1alpha1.ProfileAPISIX: "cover: it is covered, but not in the request",
	} {
		q := listingOrder(t, p)
		q.Cover = []string{"date", "x-gone"}
		if got, err := Sign(q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want …%s…", p, got, err, want)
		}
	}
}

// TestListingUnsignedTime has a Date that is not signed: it says nothing, even where a scheme does not ask for the date.
func TestListingUnsignedTime(t *testing.T) {
	for _, c := range []struct {
		profile     v1alpha1.SignatureProfile
		base, value string
	}{
		{v1alpha1.ProfileCavage, "(request-target): get /orders", `Signature keyId="test-shared-secret",created=1618884473,headers="(request-target)",signature="%"`},
		{v1alpha1.ProfileKong, "@request-target: get /orders", `hmac username="test-shared-secret",algorithm="hmac-sha256",headers="@request-target",signature="%"`},
		{v1alpha1.ProfileAPISIX, "test-shared-secret\nGET /orders\n", `Signature keyId="test-shared-secret",algorithm="hmac-sha256",headers="@request-target",signature="%"`},
	} {
		r := &authz.Request{Method: "GET", Path: "/orders", Now: now, Headers: []authz.Header{
			{Name: "date", Value: "Tue, 20 Apr 2021 02:07:55 GMT"}, {Name: "x-date", Value: "Tue, 20 Apr 2021 02:07:55 GMT"},
			{Name: "authorization", Value: strings.Replace(c.value, "%", macOf(t, c.base), 1)},
		}}
		s := newListingScheme(t, c.profile, func(s *v1alpha1.SignatureScheme, _ *Options) { s.Cover = c.profile.Cover()[:1] })
		w := newWork()
		if err := s.profile.parse(r, &w.claim); err != nil {
			t.Fatal(err)
		}
		if _, err := s.prove(context.Background(), r, w); err != nil {
			t.Errorf("%s: it is not even signed: %v", c.profile, err)
		}
		w.release()
		p, err := check(s, r)
		wantRefused(t, p, err, authz.ReasonNotCovered, "does not say when it was created")
	}
}

// macOf signs by hand what Sign would not.
func macOf(t testing.TB, base string) string {
	t.Helper()
	return base64.StdEncoding.EncodeToString(sumHMAC(sha256.New, sharedSecret(t), []byte(base)))
}

// rightOldDigest is that of the body in order.
const rightOldDigest = "SHA-256=KddzZeC0Wz4KWvVUOssYdOaLShO/ffiRUDORoCaKagI="

// keyParameter is how the profile calls the key's id.
func keyParameter(p v1alpha1.SignatureProfile) string {
	if p == v1alpha1.ProfileKong {
		return "username"
	}
	return "keyId"
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" x-" + strconv.Itoa(i))
	}
	return b.String()
}
