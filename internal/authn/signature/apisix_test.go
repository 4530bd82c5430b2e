package signature

import (
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestAPISIX has what only APISIX has, accepted and refused.
func TestAPISIX(t *testing.T) {
	tenant := func(s *v1alpha1.SignatureScheme, _ *Options) {
		s.Cover = []string{"@request-target", "date", "x-tenant"}
	}
	listed := replaceIn("authorization", " date", " x-tenant date")
	testListing(t, v1alpha1.ProfileAPISIX, map[string]listingCase{
		"names in capitals": {sign: cover("@request-target", "Date", "Digest", "Host")},
		"sha-512":           {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha512" }},
		"an absent field":   {request: listed},
		"the documented digest, taken as it is": {
			spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyUnbound },
			sign: signedBy(with("Digest", rightOldDigest), cover("@request-target", "date")),
		},

		"an absent field is not covered": {spec: tenant, request: listed, reason: authz.ReasonNotCovered, text: "does not cover x-tenant"},
		"an absent field that came":      {spec: tenant, request: both(listed, added("x-tenant", "1")), reason: authz.ReasonBadSignature, text: "does not verify"},
		"an absent digest binds no body": {sign: cover("@request-target", "date"), request: replaceIn("authorization", " date", " date digest"), reason: authz.ReasonNotCovered, text: "does not bind the body"},
		"a field taken from the list":    {spec: tenant, sign: signedBy(with("X-Tenant", "1"), cover("@request-target", "date", "x-tenant", "digest")), request: replaceIn("authorization", " x-tenant", ""), reason: authz.ReasonBadSignature, text: "does not verify"},
		"a field repeated":               {sign: signedBy(with("X-A", "1"), cover("@request-target", "x-a", "date", "digest")), request: added("x-a", "2"), reason: authz.ReasonBadSignature, text: "x-a: it occurs more than once"},
		"another case of a name":         {request: replaceIn("authorization", " date", " Date"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"no algorithm":                   {request: replaceIn("authorization", "algorithm=", "x="), reason: authz.ReasonMalformedCredential, text: "must be there is missing"},
		"no list":                        {request: replaceIn("authorization", "headers=", "x="), reason: authz.ReasonMalformedCredential, text: "must be there is missing"},
		"Kong's scheme":                  {request: replaceIn("authorization", "Signature", "hmac"), reason: authz.ReasonNoCredential, text: "no signature that lists"},
		"the draft's target":             {request: replaceIn("authorization", "@request-target", "(request-target)"), reason: authz.ReasonMalformedCredential, text: "headers is not a list"},
		"a key with another id": {spec: func(_ *v1alpha1.SignatureScheme, o *Options) {
			k := o.Stores[0].(keys)
			k["twin"] = k["test-shared-secret"]
		}, request: replaceIn("authorization", "test-shared-secret", "twin"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"an algorithm that it has not": {sign: func(q *SignRequest) { q.Algorithm = "hmac-sha512" }, request: replaceIn("authorization", "sha512", "sha384"), reason: authz.ReasonAlgorithmRefused, text: "no accepted algorithm fits"},
	})
}
