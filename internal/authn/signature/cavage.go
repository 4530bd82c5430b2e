package signature

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// cavage is draft-cavage-http-signatures-12, in Authorization with the scheme Signature or in a field Signature. Signed
// are the listed fields, (request-target), (created) and (expires), a line each with its name; the body by a listed
// Digest (RFC 3230). A Signature field beside Signature-Input is of RFC 9421, and not looked at.
//
// Clients can sign all that matters. They have no nonce: what is signed twice within a second is refused as a replay.
type cavage struct {
	origin  origin
	headers string // what the challenge asks for
}

var (
	errLegacyTime = malformed("(created) and (expires) cannot be signed with an algorithm whose name begins with rsa, hmac or ecdsa")
	errUnixTime   = malformed("created or expires is not a number of seconds since 1970")
)

var (
	cavageDerived    = []string{"(request-target)", "(created)", "(expires)"}
	cavageAlgorithms = []*algorithm{hmacSHA256, hmacSHA512, pureEd25519, ecdsaASN1, rsaSHA256, rsaSHA512, hmacSHA1, rsaSHA1}
)

func newCavage(spec *v1alpha1.SignatureScheme) (*format, error) {
	headers := strings.Join(spec.Cover, " ")
	if spec.Body == v1alpha1.BodyRequired {
		headers += " digest"
	}
	return &format{
		profile:    &cavage{newOrigin(spec.External), headers},
		algorithms: cavageAlgorithms,
		required:   requireNames(spec.Cover, map[string][]string{"date": {"(created)"}}),
	}, nil
}

func (p *cavage) parse(r *authz.Request, c *claim) error {
	text, found, err := findListing(r, "authorization", "Signature")
	if err != nil {
		return err
	}
	if _, newer := r.Header("signature-input"); newer == 0 {
		switch field, n := r.Header("signature"); {
		case n > 1, n == 1 && found:
			return errTwoListings
		case n == 1 && len(field) > maxFieldBytes:
			return errFieldsLarge
		case n == 1:
			text, found = field, true
		}
	}
	if !found {
		return errNoListing
	}
	var l listing
	if err := l.read(text, "keyId"); err != nil {
		return err
	}
	if !l.keyID.given || !l.signature.given {
		return errListingGone
	}
	if err := p.claim(r, &l, c); err != nil {
		return err
	}
	return c.decode(l.signature.text)
}

// claim takes what the listing says. Without headers it is (created) that was signed, or date by those who know only an
// older draft.
func (p *cavage) claim(r *authz.Request, l *listing, c *claim) error {
	c.keyID, c.algorithm = l.keyID.text, l.algorithm.text
	legacy := strings.HasPrefix(c.algorithm, "rsa") || strings.HasPrefix(c.algorithm, "hmac") || strings.HasPrefix(c.algorithm, "ecdsa")
	if c.algorithm == "hs2019" { // the key decides
		c.algorithm = ""
	}
	names := l.headers.text
	switch {
	case l.headers.given:
	case legacy:
		names = "date"
	default:
		names = "(created)"
	}
	if err := c.list(strings.ToLower(names), cavageDerived); err != nil {
		return err
	}
	for i := range c.covered {
		switch k := &c.covered[i]; k.name {
		case "(created)":
			c.write(k, l.created.text)
		case "(expires)":
			c.write(k, l.expires.text)
		default:
			continue
		}
		if legacy {
			return errLegacyTime
		}
	}
	return c.takeTimes(r, l)
}

// takeTimes takes the times that were signed. An expires that was not can still say that it is too late, and no more: it
// would tell for how long the signature must be remembered.
func (c *claim) takeTimes(r *authz.Request, l *listing) error {
	created, err := l.created.time(false)
	if err != nil {
		return err
	}
	expires, err := l.expires.time(true)
	if err != nil {
		return err
	}
	switch {
	case c.covers("(created)") && !l.created.given:
		return errListingGone
	case c.covers("(created)"):
		c.created = created
	case c.covers("date"):
		if c.created, err = fieldTime(r, "date"); err != nil {
			return err
		}
	}
	switch covered := c.covers("(expires)"); {
	case covered && !l.expires.given:
		return errListingGone
	case covered:
		c.expires = expires
	case l.expires.given && !r.Now.Before(expires):
		return errExpired
	}
	return nil
}

// time reads seconds since 1970, zero if there are none. A fraction of a second, which only expires may have, is dropped.
func (p authParam) time(fractional bool) (time.Time, error) {
	if !p.given {
		return time.Time{}, nil
	}
	whole, fraction, dotted := strings.Cut(p.text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || !isDigits(whole) || dotted && (!fractional || !isDigits(fraction)) {
		return time.Time{}, errUnixTime
	}
	return time.Unix(seconds, 0), nil
}

// isDigits reports whether s is digits, and not more than a time has (as in RFC 9651 section 3.3.1).
func isDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 15
}

// base builds section 2.3 of the draft. Envoy joins repeated fields with a comma alone, where the signer writes a comma
// and a space: the second reading puts it in.
func (p *cavage) base(r *authz.Request, c *claim, n int, buf []byte) (_ []byte, more bool, err error) {
	for i := range c.covered {
		k := &c.covered[i]
		if i > 0 {
			buf = append(buf, '\n')
		}
		buf = append(append(buf, k.name...), ": "...)
		switch k.name {
		case "(request-target)":
			buf, err = appendRequestTarget(buf, r, true)
		case "(created)", "(expires)":
			buf = append(buf, c.written(k)...)
		default:
			var joined bool
			buf, joined, err = p.origin.appendText(buf, r, k, n == 1)
			more = more || joined && n == 0
		}
		if err != nil {
			return buf, false, fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return buf, more, nil
}

func (*cavage) bindsBody(_ *authz.Request, c *claim) bool { return c.covers("digest") }

func (*cavage) checkBody(r *authz.Request, body []byte) error { return checkDigest(r, body) }

func (p *cavage) challenge(realm string) authz.Challenge {
	return authz.Challenge{
		Scheme: "Signature",
		Params: []authz.Field{{Name: "realm", Value: realm}, {Name: "headers", Value: p.headers}},
	}
}
