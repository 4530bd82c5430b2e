package signature

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestKong has what only Kong has, accepted and refused.
func TestKong(t *testing.T) {
	proxied := moved("authorization", "proxy-authorization")
	again := func(r *authz.Request) { setHeader(r, "proxy-authorization", header(r, "authorization")) }
	testListing(t, v1alpha1.ProfileKong, map[string]listingCase{
		"in Proxy-Authorization":    {request: proxied},
		"beside another credential": {request: both(proxied, added("authorization", "Bearer x"))},
		"beside a proxy's":          {request: added("proxy-authorization", "Basic x")},
		"request-line":              {sign: cover("request-line", "date", "digest")},
		"request-line of HTTP/2":    {sign: cover("request-line", "date", "digest"), request: func(r *authz.Request) { r.Protocol = "HTTP/2" }, reason: authz.ReasonBadSignature, text: "does not verify"},
		"X-Date made by Sign":       {sign: cover("@request-target", "x-date", "digest")},
		"X-Date before Date": {
			sign: func(q *SignRequest) {
				q.Headers[1].Value = "Tue, 20 Apr 2010 02:07:55 GMT"
				cover("@request-target", "date", "x-date", "digest")(q)
			},
		},
		"names in capitals": {sign: cover("@request-target", "Date", "Digest", "Host")},
		"an absent field":   {sign: cover("@request-target", "x-gone", "date", "digest")},
		"an empty field":    {sign: signedBy(with("X-A", ""), cover("@request-target", "x-a", "date", "digest"))},
		"sha-384":           {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha384" }},
		"sha-512":           {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha512" }},

		"in both fields":            {request: again, reason: authz.ReasonAmbiguousCredential, text: "two fields hold one"},
		"Proxy-Authorization twice": {request: both(proxied, added("proxy-authorization", "x")), reason: authz.ReasonAmbiguousCredential, text: "more than once"},
		"no algorithm":              {request: replaceIn("authorization", "algorithm=", "x="), reason: authz.ReasonMalformedCredential, text: "must be there is missing"},
		"no list":                   {request: replaceIn("authorization", "headers=", "x="), reason: authz.ReasonMalformedCredential, text: "must be there is missing"},
		"the draft's scheme": {request: func(r *authz.Request) {
			setHeader(r, "authorization", "Signature"+strings.TrimPrefix(header(r, "authorization"), "hmac"))
		}, reason: authz.ReasonNoCredential, text: "no signature that lists"},
		"the draft's target":           {request: replaceIn("authorization", "@request-target", "(request-target)"), reason: authz.ReasonMalformedCredential, text: "headers is not a list"},
		"another version":              {sign: cover("request-line", "date", "digest"), request: func(r *authz.Request) { r.Protocol = "HTTP/1.0" }, reason: authz.ReasonBadSignature, text: "does not verify"},
		"no version":                   {sign: cover("request-line", "date", "digest"), request: func(r *authz.Request) { r.Protocol = "" }, reason: authz.ReasonBadSignature, text: "request-line: the request's HTTP version is not known"},
		"another case of request-line": {sign: cover("request-line", "date", "digest"), request: replaceIn("authorization", "request-line", "Request-Line"), reason: authz.ReasonMalformedCredential, text: "headers is not a list"},
		"a field in place of the request line": {
			// Kong would take the field for what was signed, and nothing would hold the target.
			sign:    signedBy(with("Request-Line", "x"), cover("request-line", "date", "digest")),
			request: func(r *authz.Request) { r.Path = "/admin" },
			reason:  authz.ReasonBadSignature, text: "does not verify",
		},
		"an absent field that came": {sign: cover("@request-target", "x-gone", "date", "digest"), request: added("x-gone", ""), reason: authz.ReasonBadSignature, text: "does not verify"},
		"a field repeated":          {sign: signedBy(with("X-A", "1"), cover("@request-target", "x-a", "date", "digest")), request: added("x-a", "2"), reason: authz.ReasonBadSignature, text: "x-a: it occurs more than once"},
		"another case of a name":    {request: replaceIn("authorization", " date", " Date"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"X-Date is not one":         {sign: cover("@request-target", "date", "x-date", "digest"), request: setTo("x-date", "now"), reason: authz.ReasonMalformedCredential, text: "not one HTTP date"},
		"X-Date too old": {
			sign:   signedBy(with("X-Date", "Tue, 20 Apr 2010 02:07:55 GMT"), cover("@request-target", "date", "x-date", "digest")),
			reason: authz.ReasonClockSkew, text: "older than maxAge",
		},
	})
}

// TestKongAbsentDigest has a Digest that was signed as absent: it binds no body, and stays absent.
func TestKongAbsentDigest(t *testing.T) {
	sig := macOf(t, "@request-target: post /orders\ndate: Tue, 20 Apr 2021 02:07:55 GMT\ndigest:")
	for name, c := range map[string]struct {
		body   authz.Body
		digest string
		reason authz.Reason
		text   string
	}{
		"no body":       {},
		"a body":        {body: authz.Body{State: authz.BodyWhole, Bytes: []byte("x")}, reason: authz.ReasonNotCovered, text: "does not bind the body"},
		"perhaps one":   {body: authz.Body{State: authz.BodyUnknown}, reason: authz.ReasonBodyUnavailable, text: "the signature must bind it"},
		"a digest came": {digest: rightOldDigest, reason: authz.ReasonBadSignature, text: "does not verify"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &authz.Request{Method: "POST", Path: "/orders", Now: now, Body: c.body, Headers: []authz.Header{
				{Name: "date", Value: "Tue, 20 Apr 2021 02:07:55 GMT"},
				{Name: "authorization", Value: `hmac username="test-shared-secret", algorithm="hmac-sha256", headers="@request-target date digest", signature="` + sig + `"`},
			}}
			if c.digest != "" {
				setHeader(r, "digest", c.digest)
			}
			p, err := check(newListingScheme(t, v1alpha1.ProfileKong, nil), r)
			if c.reason != authz.ReasonUndecided {
				wantRefused(t, p, err, c.reason, c.text)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGatewayWindow accepts what the gateways do by default: five minutes either way.
func TestGatewayWindow(t *testing.T) {
	for _, p := range []v1alpha1.SignatureProfile{v1alpha1.ProfileKong, v1alpha1.ProfileAPISIX} {
		for seconds, good := range map[int]bool{-301: false, -300: true, 300: true, 301: false} {
			at := now.Add(time.Duration(seconds) * time.Second)
			q := listingOrder(t, p)
			q.Headers, q.Created = nil, at
			if _, err := check(newListingScheme(t, p, nil), signed(t, q)); (err == nil) != good {
				t.Errorf("%s, at %v: %v", p, at, err)
			}
		}
		if got, want := newListingScheme(t, p, nil).Challenge("shop").String(), `hmac realm="shop"`; got != want {
			t.Errorf("challenge %s, want %s", got, want)
		}
	}
}
