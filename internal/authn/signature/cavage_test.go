package signature

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestCavage has what only the draft has, accepted and refused. Of authorization it takes away the scheme's word to make
// a field Signature.
func TestCavage(t *testing.T) {
	toSignature := func(r *authz.Request) {
		setHeader(r, "signature", strings.TrimPrefix(header(r, "authorization"), "Signature "))
		removeHeader(r, "authorization")
	}
	pseudo := func(names ...string) func(*SignRequest) {
		return cover(append([]string{"(request-target)", "host", "digest"}, names...)...)
	}
	expiring := func(after time.Duration) func(*SignRequest) {
		return func(q *SignRequest) { q.Expires = created.Add(after) }
	}
	onlyDate := func(s *v1alpha1.SignatureScheme, _ *Options) {
		s.Cover, s.Body = []string{"date"}, v1alpha1.BodyUnbound
	}
	testListing(t, v1alpha1.ProfileCavage, map[string]listingCase{
		"in Signature":               {request: toSignature},
		"beside one of RFC 9421":     {request: both(added("signature", "sig1=:AAAA:"), added("signature-input", "sig1=()"))},
		"beside another credential":  {request: both(toSignature, added("authorization", "Bearer x"))},
		"names in capitals":          {request: replaceIn("authorization", "(request-target) host date", "(Request-Target) Host DATE")},
		"created for date":           {sign: pseudo("(created)")},
		"created and date":           {sign: pseudo("date", "(created)")},
		"created that is not listed": {request: replaceIn("authorization", ",headers=", ",created=1,headers=")},
		"expires":                    {sign: expiring(time.Minute)},
		"expires with a fraction": {
			sign:    signedBy(pseudo("(created)"), expiring(time.Minute)),
			request: replaceIn("authorization", "expires=1618884533", "expires=1618884533.000"),
			reason:  authz.ReasonBadSignature, text: "does not verify", // for it is signed as it is written
		},
		"expires that is not listed": {request: replaceIn("authorization", ",headers=", ",expires=1618884533.5,headers=")},
		"the algorithm named":        {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha256" }},
		"the algorithm hidden":       {request: replaceIn("authorization", ",headers=", `,algorithm="hs2019",headers=`)},
		"the key's algorithm": {
			spec: func(_ *v1alpha1.SignatureScheme, o *Options) {
				o.Stores[0].(keys)["test-shared-secret"][0].Signing.Algorithm = "hmac-sha512"
			},
			sign:    func(q *SignRequest) { q.Algorithm = "hmac-sha512" },
			request: replaceIn("authorization", `"hmac-sha512"`, `"hs2019"`),
		},
		"no list: the date": {
			spec: onlyDate, sign: signedBy(cover("date"), func(q *SignRequest) { q.Algorithm = "hmac-sha256" }),
			request: replaceIn("authorization", `headers="date",`, ""),
		},
		"no list: created": {
			spec: onlyDate, sign: cover("(created)"),
			request: replaceIn("authorization", `headers="(created)",`, ""),
		},
		"joined by Envoy": {
			sign:    signedBy(with("X-A", "1"), with("X-A", "2"), pseudo("date", "x-a")),
			request: func(r *authz.Request) { removeHeader(r, "x-a"); setHeader(r, "x-a", "1,2"); r.RawHeaders = false },
		},

		"in two fields": {request: func(r *authz.Request) {
			setHeader(r, "signature", strings.TrimPrefix(header(r, "authorization"), "Signature "))
		}, reason: authz.ReasonAmbiguousCredential, text: "two fields hold one"},
		"Signature twice":       {request: both(toSignature, added("signature", "x")), reason: authz.ReasonAmbiguousCredential, text: "more than once"},
		"Signature joined":      {request: both(toSignature, func(r *authz.Request) { setHeader(r, "signature", header(r, "signature")+","+header(r, "signature")) }), reason: authz.ReasonAmbiguousCredential, text: "a parameter of the signature occurs twice"},
		"Signature of RFC 9421": {request: both(toSignature, added("signature-input", "sig1=()")), reason: authz.ReasonNoCredential, text: "no signature that lists"},
		"Signature too long": {
			request: func(r *authz.Request) {
				removeHeader(r, "authorization")
				setHeader(r, "signature", strings.Repeat("x", 8<<10+1))
			},
			reason: authz.ReasonMalformedCredential, text: "longer than 8 KiB",
		},
		"created with a legacy algorithm": {
			sign: pseudo("(created)"), request: replaceIn("authorization", `"hs2019"`, `"hmac-sha256"`),
			reason: authz.ReasonMalformedCredential, text: "cannot be signed with an algorithm",
		},
		"created listed and gone":  {sign: pseudo("(created)"), request: replaceIn("authorization", "created=1618884473,", ""), reason: authz.ReasonMalformedCredential, text: "must be there is missing"},
		"expires listed and gone":  {sign: expiring(time.Minute), request: replaceIn("authorization", "expires=1618884533,", ""), reason: authz.ReasonMalformedCredential, text: "must be there is missing"},
		"created in quotes":        {sign: pseudo("(created)"), request: replaceIn("authorization", "created=1618884473", `created="1618884473"`)},
		"created with a fraction":  {sign: pseudo("(created)"), request: replaceIn("authorization", "created=1618884473", "created=1618884473.5"), reason: authz.ReasonMalformedCredential, text: "not a number of seconds"},
		"created negative":         {sign: pseudo("(created)"), request: replaceIn("authorization", "created=", "created=-"), reason: authz.ReasonMalformedCredential, text: "not a number of seconds"},
		"created empty":            {sign: pseudo("(created)"), request: replaceIn("authorization", "created=1618884473", "created="), reason: authz.ReasonMalformedCredential, text: "not a number of seconds"},
		"created too long":         {sign: pseudo("(created)"), request: replaceIn("authorization", "created=", "created=9999999"), reason: authz.ReasonMalformedCredential, text: "not a number of seconds"},
		"expires of two fractions": {sign: expiring(time.Minute), request: replaceIn("authorization", "expires=1618884533", "expires=1618884533.1.1"), reason: authz.ReasonMalformedCredential, text: "not a number of seconds"},
		"expires of no fraction":   {sign: expiring(time.Minute), request: replaceIn("authorization", "expires=1618884533", "expires=1618884533."), reason: authz.ReasonMalformedCredential, text: "not a number of seconds"},
		"created changed":          {sign: pseudo("(created)"), request: replaceIn("authorization", "created=1618884473", "created=1618884474"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"expires changed":          {sign: expiring(time.Minute), request: replaceIn("authorization", "expires=1618884533", "expires=1618884534"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"expired":                  {sign: expiring(10 * time.Second), reason: authz.ReasonClockSkew, text: "has expired"},
		"expired and not listed":   {request: replaceIn("authorization", ",headers=", ",expires=1618884483,headers="), reason: authz.ReasonClockSkew, text: "has expired"},
		"expires before created":   {sign: expiring(-time.Second), reason: authz.ReasonMalformedCredential, text: "expires before it was created"},
		"too far in the future":    {sign: signedBy(pseudo("(created)"), func(q *SignRequest) { q.Created = now.Add(61 * time.Second) }), reason: authz.ReasonClockSkew, text: "created in the future"},
		"no list, no created":      {request: replaceIn("authorization", `headers="(request-target) host date digest",`, ""), reason: authz.ReasonMalformedCredential, text: "must be there is missing"},
		"not covered: the host":    {sign: cover("(request-target)", "date", "digest"), reason: authz.ReasonNotCovered, text: "does not cover host"},
		"a field that is absent":   {request: replaceIn("authorization", "host date", "host x-gone date"), reason: authz.ReasonBadSignature, text: "x-gone: it is covered, but not in the request"},
		"another gateway's target": {request: replaceIn("authorization", "(request-target)", "@request-target"), reason: authz.ReasonMalformedCredential, text: "headers is not a list"},
		"the algorithm of another key": {
			sign:    func(q *SignRequest) { q.KeyID = "test-key-rsa" },
			request: replaceIn("authorization", ",headers=", `,algorithm="hmac-sha256",headers=`),
			reason:  authz.ReasonAlgorithmRefused, text: "no accepted algorithm fits",
		},
	})
}

// TestCavageAlgorithms signs and verifies with every algorithm, by its name and by the key alone.
func TestCavageAlgorithms(t *testing.T) {
	pairs := map[string]keyPair{}
	for _, pair := range keyPairs(t) {
		pairs[pair.algorithm] = pair
	}
	for name, pair := range map[string]keyPair{
		"hmac-sha1": pairs["hmac-sha256"], "hmac-sha256": pairs["hmac-sha256"], "hmac-sha512": pairs["hmac-sha256"],
		"ed25519": pairs["ed25519"], "ecdsa-sha256": pairs["ecdsa-p256-sha256"],
		"rsa-sha1": pairs["rsa-v1_5-sha256"], "rsa-sha256": pairs["rsa-v1_5-sha256"], "rsa-sha512": pairs["rsa-v1_5-sha256"],
	} {
		for _, names := range [][]string{nil, {"(request-target)", "host", "(created)", "digest"}} {
			q := listingOrder(t, v1alpha1.ProfileCavage)
			q.KeyID, q.Key, q.Algorithm, q.Cover = "k", pair.private, name, names
			store := keys{}
			store.add("rfc", &keystore.SigningKey{ID: "k", Secret: pair.signing.Secret, PublicKey: pair.signing.PublicKey, Algorithm: name})
			s := newListingScheme(t, v1alpha1.ProfileCavage, func(spec *v1alpha1.SignatureScheme, o *Options) {
				sha1Too(spec, o)
				o.Stores = []keystore.Store{store}
			})
			if _, err := check(s, signed(t, q)); err != nil {
				t.Errorf("%s over %v: %v", name, names, err)
			}
		}
	}
}

// TestCavageSigned makes the draft's own examples, whose signatures are deterministic.
func TestCavageSigned(t *testing.T) {
	key, err := ParsePrivateKey(testKey(t, "cavage-test.private.pem"))
	if err != nil {
		t.Fatal(err)
	}
	q := SignRequest{
		Profile: v1alpha1.ProfileCavage, Method: "POST", URL: "http://example.com/foo?param=value&pet=dog",
		Headers: []authz.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "Content-Length", Value: "18"}},
		Body:    []byte(`{"hello": "world"}`), KeyID: "Test", Key: key, Algorithm: "rsa-sha256",
		Created: time.Date(2014, 1, 5, 21, 31, 40, 0, time.UTC),
		Cover:   []string{"(request-target)", "host", "date", "content-type", "digest", "content-length"},
	}
	got, err := Sign(q)
	if err != nil {
		t.Fatal(err)
	}
	want := &Signed{
		URL: q.URL,
		Headers: []authz.Header{
			{Name: "Date", Value: "Sun, 05 Jan 2014 21:31:40 GMT"},
			{Name: "Digest", Value: "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="},
			{Name: "Authorization", Value: `Signature keyId="Test",algorithm="rsa-sha256",` +
				`headers="(request-target) host date content-type digest content-length",` +
				`signature="vSdrb+dS3EceC9bcwHSo4MlyKS59iFIrhgYkz8+oVLEEzmYZZvRs8rgOp+63LEM3v+MFHB32NfpB2bEKBIvB1q52LaEUHFv12` +
				`0V01IL+TAD48XaERZFukWgHoBTLMhYS2Gb51gWxpeIq8knRmPnYePbF5MOkR0Zkly4zKH7s1dE="`},
		},
		Base: got.Base,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("signed (-want +got):\n%s", diff)
	}
}

func TestCavageChallenge(t *testing.T) {
	for body, want := range map[v1alpha1.BodyCoverage]string{
		v1alpha1.BodyIfPresent: `Signature realm="shop", headers="(request-target) host date"`,
		v1alpha1.BodyRequired:  `Signature realm="shop", headers="(request-target) host date digest"`,
	} {
		s := newListingScheme(t, v1alpha1.ProfileCavage, func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Body = body })
		if got := s.Challenge("shop").String(); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}
