package signature

import (
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func TestSlackRefused(t *testing.T) {
	kind := kindOf(v1alpha1.ProfileSlack)
	kind.testRefused(t, map[string]refusal{
		"no signature":       {request: without("x-slack-signature"), reason: authz.ReasonNoCredential, text: "no signature fields"},
		"no time":            {request: without("x-slack-request-timestamp"), reason: authz.ReasonMalformedCredential, text: "timestamp is not there"},
		"time with fraction": {request: replaceIn("x-slack-request-timestamp", "4473", "4473.5"), reason: authz.ReasonMalformedCredential, text: "in digits"},
		"time moved":         {request: replaceIn("x-slack-request-timestamp", "4473", "4474"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"empty":              {request: setTo("x-slack-signature", ""), reason: authz.ReasonMalformedCredential, text: "does not begin with v0="},
		"another version":    {request: replaceIn("x-slack-signature", "v0=", "v1="), reason: authz.ReasonMalformedCredential, text: "does not begin with v0="},
		"version in upper":   {request: replaceIn("x-slack-signature", "v0=", "V0="), reason: authz.ReasonMalformedCredential, text: "does not begin with v0="},
		"cut":                {request: setTo("x-slack-signature", "v0=00"), reason: authz.ReasonMalformedCredential, text: "64 lower-case"},
		"time in the body": {
			// v0:1:61… and v0:1 with a body :61… would be one text, were a time anything but digits.
			request: func(r *authz.Request) {
				setHeader(r, "x-slack-request-timestamp", "1618884473:"+string(r.Body.Bytes))
				r.Body.Bytes = nil
			},
			reason: authz.ReasonMalformedCredential, text: "in digits",
		},
	})
}
