package signature

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func TestGitHubRefused(t *testing.T) {
	kind := kindOf(v1alpha1.ProfileGitHub)
	field := func(from, to string) func(*authz.Request) { return replaceIn("x-hub-signature-256", from, to) }
	sha1 := "sha1=" + strings.Repeat("0", 40)
	kind.testRefused(t, map[string]refusal{
		"SHA-1 alone": {
			request: both(without("x-hub-signature-256"), setTo("x-hub-signature", sha1)),
			reason:  authz.ReasonAlgorithmRefused, text: "only X-Hub-Signature, which is SHA-1",
		},
		"SHA-1 under the new name": {request: setTo("x-hub-signature-256", sha1), reason: authz.ReasonMalformedCredential, text: "does not begin with sha256="},
		"empty":                    {request: setTo("x-hub-signature-256", ""), reason: authz.ReasonMalformedCredential, text: "does not begin with sha256="},
		"no prefix":                {request: field("sha256=", ""), reason: authz.ReasonMalformedCredential, text: "does not begin with sha256="},
		"prefix in upper case":     {request: field("sha256=", "SHA256="), reason: authz.ReasonMalformedCredential, text: "does not begin with sha256="},
		"spaced":                   {request: field("sha256=", "sha256= "), reason: authz.ReasonMalformedCredential, text: "64 lower-case"},
		"cut":                      {request: setTo("x-hub-signature-256", "sha256=00"), reason: authz.ReasonMalformedCredential, text: "64 lower-case"},
		"upper case":               {request: setTo("x-hub-signature-256", "sha256="+strings.Repeat("A", 64)), reason: authz.ReasonMalformedCredential, text: "64 lower-case"},
		"another":                  {request: setTo("x-hub-signature-256", "sha256="+strings.Repeat("0", 64)), reason: authz.ReasonBadSignature, text: "does not verify"},
	})
}

// TestGitHubBoth accepts what GitHub really sends: SHA-1 beside SHA-256, whatever it says.
func TestGitHubBoth(t *testing.T) {
	kind := kindOf(v1alpha1.ProfileGitHub)
	r := signed(t, kind.request())
	setHeader(r, "x-hub-signature", "sha1=00")
	if _, err := check(kind.scheme(t, kind.store(), nil), r); err != nil {
		t.Error(err)
	}
}
