package signature

import (
	"errors"
	"fmt"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// kong is the hmac-auth plugin of Kong Gateway 3 (kong/plugins/hmac-auth/access.lua), in Proxy-Authorization or
// Authorization. Signed are the listed fields, and @request-target or request-line; the body by a listed Digest. A listed
// field that is absent is signed as absent. Kong takes the time from X-Date or Date even if they were not signed; here
// only a signed one counts.
//
// Clients can sign the host, but seldom list it. They have no nonce: what is signed twice within a second is refused as a
// replay.
type kong struct{ origin origin }

var errProtocol = errors.New("the request's HTTP version is not known")

var (
	kongDerived    = []string{"@request-target", "request-line"}
	kongAlgorithms = []*algorithm{hmacSHA256, hmacSHA384, hmacSHA512, hmacSHA1}
	kongInstead    = map[string][]string{"@request-target": {"request-line"}, "date": {"x-date"}}
)

func newKong(spec *v1alpha1.SignatureScheme) (*format, error) {
	return &format{
		profile:    &kong{newOrigin(spec.External)},
		algorithms: kongAlgorithms,
		required:   requireNames(spec.Cover, kongInstead),
	}, nil
}

func (p *kong) parse(r *authz.Request, c *claim) error {
	text, found, err := findListing(r, "proxy-authorization", "hmac")
	if err != nil {
		return err
	}
	other, twice, err := findListing(r, "authorization", "hmac")
	switch {
	case err != nil:
		return err
	case found && twice:
		return errTwoListings
	case !found && !twice:
		return errNoListing
	case twice:
		text = other
	}
	var l listing
	if err := l.readAll(text, "username"); err != nil {
		return err
	}
	if err := p.claim(r, &l, c); err != nil {
		return err
	}
	return c.decode(l.signature.text)
}

// claim takes what the listing says. Browsers cannot set Date, so X-Date goes before it.
func (p *kong) claim(r *authz.Request, l *listing, c *claim) error {
	c.keyID, c.algorithm = l.keyID.text, l.algorithm.text
	if err := c.list(l.headers.text, kongDerived); err != nil {
		return err
	}
	var err error
	switch {
	case c.covers("x-date"):
		c.created, err = fieldTime(r, "x-date")
	case c.covers("date"):
		c.created, err = fieldTime(r, "date")
	}
	return err
}

// base writes names as they are listed.
func (p *kong) base(r *authz.Request, c *claim, _ int, buf []byte) (_ []byte, more bool, err error) {
	for i := range c.covered {
		k := &c.covered[i]
		if i > 0 {
			buf = append(buf, '\n')
		}
		if k.name == "request-line" {
			buf, err = appendRequestLine(buf, r)
		} else {
			buf, err = p.appendLine(append(append(buf, c.written(k)...), ':'), r, k)
		}
		if err != nil {
			return buf, false, fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return buf, false, nil
}

func (p *kong) appendLine(buf []byte, r *authz.Request, k *component) ([]byte, error) {
	switch {
	case k.name == "@request-target":
		return appendRequestTarget(append(buf, ' '), r, true)
	case hasField(r, k.name):
		return p.origin.appendSingle(append(buf, ' '), r, k)
	default:
		return buf, nil
	}
}

// appendRequestLine appends the first line of a request, with the version as nginx writes it: HTTP/1.1, HTTP/2.0.
func appendRequestLine(buf []byte, r *authz.Request) ([]byte, error) {
	version, ok := strings.CutPrefix(r.Protocol, "HTTP/")
	if !ok || version == "" {
		return buf, errProtocol
	}
	buf, err := appendRequestTarget(buf, r, false)
	if err != nil {
		return buf, err
	}
	buf = append(append(buf, ' '), r.Protocol...)
	if strings.IndexByte(version, '.') < 0 {
		buf = append(buf, ".0"...)
	}
	return buf, nil
}

// bindsBody does not take a Digest that is signed as absent for one.
func (*kong) bindsBody(r *authz.Request, c *claim) bool {
	return c.covers("digest") && hasField(r, "digest")
}

func (*kong) checkBody(r *authz.Request, body []byte) error { return checkDigest(r, body) }

func (*kong) challenge(realm string) authz.Challenge { return hmacChallenge(realm) }

// hmacChallenge is what Kong and APISIX answer.
func hmacChallenge(realm string) authz.Challenge {
	return authz.Challenge{Scheme: "hmac", Params: []authz.Field{{Name: "realm", Value: realm}}}
}
