package v1alpha1

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// signatureAlgorithms are those of RFC 9421 section 3.3.
var signatureAlgorithms = []string{
	algorithmHMAC, "ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha512", "rsa-v1_5-sha256",
}

// algorithmHMAC is the one that verifies with a secret.
const algorithmHMAC = "hmac-sha256"

func (c *checker) signature(at path, s *SignatureScheme) {
	if s.Profile != ProfileRFC9421 {
		c.errorf(at.dot("profile"), "use "+string(ProfileRFC9421), "%s is not supported", quote(string(s.Profile)))
	}
	seen := names{}
	for i, a := range s.Algorithms {
		c.signatureAlgorithm(at.dot("algorithms").index(i), a)
		c.unique(seen, at.dot("algorithms").index(i), a, quote(a))
	}
	c.cover(at.dot("cover"), s.Cover)
	oneWord(c, at.dot("body"), s.Body, BodyIfPresent, BodyRequired, BodyUnbound)
	c.duration(at.dot("clockSkew"), s.ClockSkew, 0, mostClockSkew)
	c.duration(at.dot("maxAge"), s.MaxAge, 1e9, mostMaxAge)
	oneWord(c, at.dot("replay"), s.Replay, ReplayReject, ReplayAllow)
	c.selector(at.dot("apps"), s.Apps)
	if s.External != nil {
		c.external(at.dot("external"), s.External)
	}
	if o := s.RFC9421; o != nil {
		c.rfc9421(at.dot("rfc9421"), o)
	}
}

func (c *checker) signatureAlgorithm(at path, name string) {
	if !slices.Contains(signatureAlgorithms, name) {
		c.errorf(at, "use some of "+strings.Join(signatureAlgorithms, ", "), "%s is not a signature algorithm", quote(name))
	}
}

// cover checks the identifiers of covered components (RFC 9421 section 2).
func (c *checker) cover(at path, cover []string) {
	c.count(at, len(cover), 64)
	seen := names{}
	for i, id := range cover {
		place := at.index(i)
		c.unique(seen, place, id, quote(id))
		switch name, params, _ := strings.Cut(id, ";"); {
		case name == "@query-param":
			if param, ok := quoted(params, "name="); !ok || param == "" {
				c.errorf(place, `write @query-param;name="…"`, "%s does not name its parameter", quote(id))
			}
		case strings.HasPrefix(name, "@"):
			if params != "" || !slices.Contains(derivedComponents, name) {
				c.errorf(place, `use header names, @query-param;name="…" or `+strings.Join(derivedComponents, ", "),
					"%s is not a component of a request", quote(id))
			}
		case !isToken(name) || name != strings.ToLower(name):
			c.errorf(place, "write the header's name in lower case", "%s is not a component's name", quote(id))
		case params == "" || params == "sf" || params == "bs":
		default:
			if key, ok := quoted(params, "key="); !ok || key == "" {
				c.errorf(place, `use ;sf, ;bs or ;key="…", or none`, "%s has parameters that a request cannot have", quote(id))
			}
		}
	}
}

// derivedComponents are those of a request that stand alone (RFC 9421 section 2.2).
var derivedComponents = []string{
	"@method", "@authority", "@scheme", "@target-uri", "@request-target", "@path", "@query",
}

// quoted returns what stands in quotes after the prefix, and nothing else stands there.
func quoted(s, prefix string) (string, bool) {
	s, ok := strings.CutPrefix(s, prefix)
	if !ok || len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	s = s[1 : len(s)-1]
	return s, isPrintable(s) && !strings.ContainsAny(s, `"\`)
}

func (c *checker) external(at path, e *ExternalOrigin) {
	if e.Scheme == "" && e.Authority == "" {
		c.errorf(at, "set scheme, authority or both, or leave it out", "is empty")
	}
	if e.Scheme != "" {
		oneWord(c, at.dot("scheme"), e.Scheme, "https", "http")
	}
	if e.Authority != "" {
		if _, err := authz.CanonicalHost(e.Authority); err != nil {
			c.errorf(at.dot("authority"), "write a host, and a port if clients name one", "%s is not an authority", quote(e.Authority))
		}
	}
}

func (c *checker) rfc9421(at path, o *RFC9421Options) {
	if o.Label != "" && !isStructuredKey(o.Label) {
		c.errorf(at.dot("label"), "use lower-case letters, digits, '_', '-', '.' and '*', beginning with a letter or '*'",
			"%s is not a label", quote(o.Label))
	}
	if len(o.Tag) > 128 || !isPrintable(o.Tag) {
		c.errorf(at.dot("tag"), "use up to 128 printable ASCII characters", "%s is not a tag", quote(o.Tag))
	}
	oneWord(c, at.dot("nonce"), o.Nonce, NonceOptional, NonceRequired)
}

// isStructuredKey reports whether s is a dictionary's key (RFC 9651 section 3.1.2).
func isStructuredKey(s string) bool {
	for i := range len(s) {
		c := s[i]
		first := 'a' <= c && c <= 'z' || c == '*'
		if !first && (i == 0 || !isDigit(c) && c != '_' && c != '-' && c != '.') {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 64
}
