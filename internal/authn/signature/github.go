package signature

import (
	"encoding/hex"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// github is the signature of GitHub's webhooks (docs.github.com/webhooks, "Validating webhook deliveries"):
//
//	X-Hub-Signature-256: sha256=757107ea…
//
// It is an HMAC-SHA256, in hexadecimal, of the body; the secret is a text. X-Hub-Signature, which GitHub sends as well,
// is SHA-1 and proves nothing.
//
// It does not sign method, host, path, query and the time, nor X-GitHub-Delivery and X-GitHub-Event. So a body counts
// once in maxAge, and a delivery that somebody repeats by hand within it is a replay.
type github struct{ webhook }

const githubPrefix = "sha256="

var (
	errGitHubPrefix = malformed("X-Hub-Signature-256 does not begin with " + githubPrefix)
	errGitHubSHA1   = fail(authz.ReasonAlgorithmRefused, "there is only X-Hub-Signature, which is SHA-1: X-Hub-Signature-256 is needed")
)

var githubProfile = github{webhook{"X-Hub-Signature-256"}}

func newGitHub(*v1alpha1.SignatureScheme) (*format, error) {
	return &format{profile: githubProfile, algorithms: webhookAlgorithms, timeless: true}, nil
}

func (github) parse(r *authz.Request, c *claim) error {
	value, found, err := oneValue(r, "x-hub-signature-256")
	switch {
	case err != nil:
		return err
	case !found:
		if _, n := r.Header("x-hub-signature"); n > 0 {
			return errGitHubSHA1
		}
		return errNoSignature
	}
	text, ok := strings.CutPrefix(value, githubPrefix)
	if !ok {
		return errGitHubPrefix
	}
	return c.present(appendHexSum(c.room(), text))
}

func signGitHub(q *SignRequest) (*Signed, error) {
	base, sig, err := q.signBody(webhookAlgorithms, nil)
	if err != nil {
		return nil, err
	}
	return &Signed{
		Headers: []authz.Header{{Name: "X-Hub-Signature-256", Value: githubPrefix + hex.EncodeToString(sig)}},
		Base:    string(base),
	}, nil
}
