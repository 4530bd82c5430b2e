package signature

import (
	"encoding/hex"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// stripe is the signature of Stripe's webhooks (docs.stripe.com/webhooks/signature):
//
//	Stripe-Signature: t=1492774577,v1=5257a869…[,v1=…][,v0=…]
//
// Each v1 is an HMAC-SHA256, in hexadecimal, of "<t>.<body>"; while a secret is being rolled there is one with each.
// Entries of another name, such as the v0 of test events, prove nothing and are passed over. The secret is all of the
// text that Stripe shows, whsec_ included. Stripe signs a retry anew, so that it is no replay.
//
// It does not sign method, host, path and query.
type stripe struct{ webhook }

var (
	errStripeSyntax = malformed("Stripe-Signature is not a list such as t=…,v1=…")
	errStripeTimes  = fail(authz.ReasonAmbiguousCredential, "Stripe-Signature says twice when it was made")
	errStripeNone   = malformed("Stripe-Signature has no v1 signature")
)

var stripeProfile = stripe{webhook{"Stripe-Signature"}}

func newStripe(*v1alpha1.SignatureScheme) (*format, error) {
	return &format{profile: stripeProfile, algorithms: webhookAlgorithms}, nil
}

func (stripe) parse(r *authz.Request, c *claim) error {
	value, found, err := oneField(r, "stripe-signature")
	switch {
	case err != nil:
		return err
	case !found:
		return errNoSignature
	}
	at := ""
	for entry := range strings.SplitSeq(value, ",") {
		name, text, ok := strings.Cut(entry, "=")
		switch {
		case !ok:
			return errStripeSyntax
		case name == "t" && at != "":
			return errStripeTimes
		case name == "t":
			at = text
			c.created, err = unixTime(text)
		case name == "v1":
			err = c.present(appendHexSum(c.room(), text))
		}
		if err != nil {
			return err
		}
	}
	switch {
	case at == "":
		return errWebhookTime
	case len(c.signature) == 0:
		return errStripeNone
	}
	c.params = appendStripeTime(c.params, at)
	return nil
}

// appendStripeTime appends what stands before the body.
func appendStripeTime(buf []byte, at string) []byte { return append(append(buf, at...), '.') }

func signStripe(q *SignRequest) (*Signed, error) {
	at, err := q.timestamp()
	if err != nil {
		return nil, err
	}
	base, sig, err := q.signBody(webhookAlgorithms, appendStripeTime(nil, at))
	if err != nil {
		return nil, err
	}
	return &Signed{
		Headers: []authz.Header{{Name: "Stripe-Signature", Value: "t=" + at + ",v1=" + hex.EncodeToString(sig)}},
		Base:    string(base),
	}, nil
}
