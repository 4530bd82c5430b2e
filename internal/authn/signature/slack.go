package signature

import (
	"encoding/hex"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// slack is the signature of Slack's requests (docs.slack.dev/authentication/verifying-requests-from-slack):
//
//	X-Slack-Request-Timestamp: 1531420618
//	X-Slack-Signature: v0=a2114d57…
//
// It is an HMAC-SHA256, in hexadecimal, of "v0:<timestamp>:<body>"; the app's signing secret is a text.
//
// It does not sign method, host, path and query.
type slack struct{ webhook }

const slackPrefix = "v0="

var errSlackPrefix = malformed("X-Slack-Signature does not begin with " + slackPrefix)

var slackProfile = slack{webhook{"X-Slack-Signature"}}

func newSlack(*v1alpha1.SignatureScheme) (*format, error) {
	return &format{profile: slackProfile, algorithms: webhookAlgorithms}, nil
}

func (slack) parse(r *authz.Request, c *claim) error {
	value, found, err := oneValue(r, "x-slack-signature")
	switch {
	case err != nil:
		return err
	case !found:
		return errNoSignature
	}
	at, _, err := oneValue(r, "x-slack-request-timestamp")
	if err != nil {
		return err
	}
	if c.created, err = unixTime(at); err != nil {
		return err
	}
	text, ok := strings.CutPrefix(value, slackPrefix)
	if !ok {
		return errSlackPrefix
	}
	c.params = appendSlackTime(c.params, at)
	return c.present(appendHexSum(c.room(), text))
}

// appendSlackTime appends what stands before the body.
func appendSlackTime(buf []byte, at string) []byte {
	return append(append(append(buf, "v0:"...), at...), ':')
}

func signSlack(q *SignRequest) (*Signed, error) {
	at, err := q.timestamp()
	if err != nil {
		return nil, err
	}
	base, sig, err := q.signBody(webhookAlgorithms, appendSlackTime(nil, at))
	if err != nil {
		return nil, err
	}
	return &Signed{
		Headers: []authz.Header{
			{Name: "X-Slack-Request-Timestamp", Value: at},
			{Name: "X-Slack-Signature", Value: slackPrefix + hex.EncodeToString(sig)},
		},
		Base: string(base),
	}, nil
}
