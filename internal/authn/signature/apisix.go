package signature

import (
	"fmt"
	"slices"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// apisix is the hmac-auth plugin of Apache APISIX 3.11 and later (apisix/plugins/hmac-auth.lua), in Authorization with
// the scheme Signature. Signed are the key id, the listed fields and @request-target. A listed field that is absent leaves
// no trace in what is signed, so it is not covered.
//
// The body is bound by a listed Digest. Clients made after APISIX's documentation send one without listing it, and need
// body: Unbound. Clients can sign the host, but seldom list it. They have no nonce: what is signed twice within a second
// is refused as a replay.
type apisix struct{ origin origin }

var (
	apisixDerived    = []string{"@request-target"}
	apisixAlgorithms = []*algorithm{hmacSHA256, hmacSHA512, hmacSHA1}
)

func newAPISIX(spec *v1alpha1.SignatureScheme) (*format, error) {
	return &format{
		profile:    &apisix{newOrigin(spec.External)},
		algorithms: apisixAlgorithms,
		required:   requireNames(spec.Cover, nil),
	}, nil
}

func (p *apisix) parse(r *authz.Request, c *claim) error {
	text, found, err := findListing(r, "authorization", "Signature")
	switch {
	case err != nil:
		return err
	case !found:
		return errNoListing
	}
	var l listing
	if err := l.readAll(text, "keyId"); err != nil {
		return err
	}
	if err := p.claim(r, &l, c); err != nil {
		return err
	}
	return c.decode(l.signature.text)
}

func (p *apisix) claim(r *authz.Request, l *listing, c *claim) error {
	c.keyID, c.algorithm = l.keyID.text, l.algorithm.text
	if err := c.list(l.headers.text, apisixDerived); err != nil {
		return err
	}
	c.covered = slices.DeleteFunc(c.covered, func(k component) bool {
		return k.name != "@request-target" && !hasField(r, k.name)
	})
	if !c.covers("date") {
		return nil
	}
	var err error
	c.created, err = fieldTime(r, "date")
	return err
}

// base writes names as they are listed, and ends every line, the last too.
func (p *apisix) base(r *authz.Request, c *claim, _ int, buf []byte) (_ []byte, more bool, err error) {
	buf = append(append(buf, c.keyID...), '\n')
	for i := range c.covered {
		k := &c.covered[i]
		if k.name == "@request-target" {
			buf, err = appendRequestTarget(buf, r, false)
		} else {
			buf, err = p.origin.appendSingle(append(append(buf, c.written(k)...), ": "...), r, k)
		}
		if err != nil {
			return buf, false, fmt.Errorf("%s: %w", k.name, err)
		}
		buf = append(buf, '\n')
	}
	return buf, false, nil
}

func (*apisix) bindsBody(_ *authz.Request, c *claim) bool { return c.covers("digest") }

func (*apisix) checkBody(r *authz.Request, body []byte) error { return checkDigest(r, body) }

func (*apisix) challenge(realm string) authz.Challenge { return hmacChallenge(realm) }
