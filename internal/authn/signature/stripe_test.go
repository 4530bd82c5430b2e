package signature

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func TestStripeRefused(t *testing.T) {
	kind := kindOf(v1alpha1.ProfileStripe)
	field := func(from, to string) func(*authz.Request) { return replaceIn("stripe-signature", from, to) }
	const digits = "64 lower-case hexadecimal digits"
	kind.testRefused(t, map[string]refusal{
		"empty":                {request: setTo("stripe-signature", ""), reason: authz.ReasonMalformedCredential, text: "not a list such as t="},
		"a word":               {request: field("v1=", "v1=0,word,v0="), reason: authz.ReasonMalformedCredential, text: digits},
		"a word alone":         {request: field("v1=", "word,v1="), reason: authz.ReasonMalformedCredential, text: "not a list such as t="},
		"trailing comma":       {request: func(r *authz.Request) { setHeader(r, "stripe-signature", header(r, "stripe-signature")+",") }, reason: authz.ReasonMalformedCredential, text: "not a list such as t="},
		"no time":              {request: field("t=1618884473,", ""), reason: authz.ReasonMalformedCredential, text: "timestamp is not there"},
		"time empty":           {request: field("t=1618884473", "t="), reason: authz.ReasonMalformedCredential, text: "timestamp is not there"},
		"time with sign":       {request: field("t=", "t=+"), reason: authz.ReasonMalformedCredential, text: "in digits"},
		"time negative":        {request: field("t=", "t=-"), reason: authz.ReasonMalformedCredential, text: "in digits"},
		"time with fraction":   {request: field("4473", "4473.0"), reason: authz.ReasonMalformedCredential, text: "in digits"},
		"time endless":         {request: field("t=", "t=999999999999999"), reason: authz.ReasonMalformedCredential, text: "in digits"},
		"time far":             {request: field("t=", "t=99999"), reason: authz.ReasonClockSkew, text: "created in the future"},
		"time with zero":       {request: field("t=", "t=0"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"time moved":           {request: field("4473", "4474"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"two times":            {request: field("t=", "t=1618884473,t="), reason: authz.ReasonAmbiguousCredential, text: "twice when it was made"},
		"joined":               {request: joined("stripe-signature"), reason: authz.ReasonAmbiguousCredential, text: "twice when it was made"},
		"v0 alone":             {request: field("v1=", "v0="), reason: authz.ReasonMalformedCredential, text: "no v1 signature"},
		"V1":                   {request: field("v1=", "V1="), reason: authz.ReasonMalformedCredential, text: "no v1 signature"},
		"spaced":               {request: field(",v1=", ", v1="), reason: authz.ReasonMalformedCredential, text: "no v1 signature"},
		"v1 empty":             {request: field("v1=", "v1=,v0="), reason: authz.ReasonMalformedCredential, text: digits},
		"v1 of an odd length":  {request: field("v1=", "v1=0"), reason: authz.ReasonMalformedCredential, text: digits},
		"v1 in upper case":     {request: field("v1=", "v1="+strings.Repeat("A", 64)+",v1="), reason: authz.ReasonMalformedCredential, text: digits},
		"v1 no digits":         {request: field("v1=", "v1="+strings.Repeat("g", 64)+",v1="), reason: authz.ReasonMalformedCredential, text: digits},
		"secret as bytes":      {sign: func(q *SignRequest) { q.Key = decoded(t, hookSecret) }, reason: authz.ReasonBadSignature, text: "does not verify"},
		"secret without whsec": {sign: func(q *SignRequest) { q.Key = hookSecret[len("whsec_"):] }, reason: authz.ReasonBadSignature, text: "does not verify"},
	})
}
