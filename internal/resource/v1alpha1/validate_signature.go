package v1alpha1

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// The bounds of a signature scheme, in bytes.
const (
	mostTemplate  = 4 << 10
	mostComponent = 256
)

func (c *checker) signature(at path, s *SignatureScheme) {
	profile, known := facts[s.Profile]
	if !known {
		var all []string
		for _, p := range Profiles() {
			all = append(all, string(p))
		}
		c.errorf(at.dot("profile"), "use one of "+strings.Join(all, ", "), "%s is not a profile", quote(string(s.Profile)))
	}
	c.signatureAlgorithms(at.dot("algorithms"), s, &profile)
	c.cover(at.dot("cover"), s, &profile)
	oneWord(c, at.dot("body"), s.Body, BodyIfPresent, BodyRequired, BodyUnbound)
	c.duration(at.dot("clockSkew"), s.ClockSkew, 0, mostClockSkew)
	c.duration(at.dot("maxAge"), s.MaxAge, 1e9, mostMaxAge)
	oneWord(c, at.dot("replay"), s.Replay, ReplayReject, ReplayAllow)
	c.selector(at.dot("apps"), s.Apps)
	if s.External != nil {
		c.external(at.dot("external"), s.External)
	}
	if known {
		c.profileOptions(at, s)
	}
}

// profileOptions checks what only some profiles have: it must be there where it is needed, and only there.
func (c *checker) profileOptions(at path, s *SignatureScheme) {
	if s.RFC9421 != nil {
		c.only(at.dot("rfc9421"), s.Profile, ProfileRFC9421)
		c.rfc9421(at.dot("rfc9421"), s.RFC9421)
	}
	switch {
	case s.AWSSigV4 != nil:
		c.only(at.dot("awsSigV4"), s.Profile, ProfileAWSSigV4)
		c.awsSigV4(at.dot("awsSigV4"), s.AWSSigV4)
	case s.Profile == ProfileAWSSigV4:
		c.errorf(at.dot("awsSigV4"), "set awsSigV4: {regions: […], services: […]}", "is missing: a signature for any service would count")
	}
	switch {
	case s.Template != nil:
		c.only(at.dot("template"), s.Profile, ProfileTemplate)
		c.signatureTemplate(at.dot("template"), s.Template)
	case s.Profile == ProfileTemplate:
		c.errorf(at.dot("template"), "describe the format", "is missing")
	}
	c.signatureApp(at, s)
}

// signatureApp checks that the scheme names an App where requests name no key, and only there.
func (c *checker) signatureApp(at path, s *SignatureScheme) {
	keyless := s.Profile.Keyless() || s.Template != nil && s.Template.KeyID == nil
	switch {
	case s.App == "" && keyless:
		remedy := "name the App whose keys are to be tried"
		if s.Profile == ProfileTemplate {
			remedy += ", or set template.keyId"
		}
		c.errorf(at.dot("app"), remedy, "is missing: these requests name no key")
	case s.App != "" && !keyless:
		c.errorf(at.dot("app"), "leave it out", "has no use: requests name their key")
	case s.App != "":
		namespace, name, qualified := strings.Cut(s.App, "/")
		if !qualified {
			namespace, name = DefaultNamespace, s.App
		}
		if !IsDNSLabel(namespace) || !isDNSName(name) {
			c.errorf(at.dot("app"), "write name, or namespace/name", "%s is not an App's name", quote(s.App))
		}
	}
}

// only refuses options that stand beside another profile.
func (c *checker) only(at path, have, want SignatureProfile) {
	if have != want {
		c.errorf(at, "leave it out, or set profile: "+string(want), "belongs to profile %s, not to %s", want, have)
	}
}

func (c *checker) awsSigV4(at path, o *AWSSigV4Options) {
	for _, list := range []struct {
		at    path
		words []string
		what  string
	}{{at.dot("regions"), o.Regions, "region"}, {at.dot("services"), o.Services, "service"}} {
		if len(list.words) == 0 {
			c.errorf(list.at, "name at least one", "is empty")
		}
		c.count(list.at, len(list.words), 64)
		seen := names{}
		for i, word := range list.words {
			if word == "" || len(word) > 64 || !isPrintable(word) || strings.ContainsAny(word, "/ ") {
				c.errorf(list.at.index(i), "write it as in the credential scope", "%s is not a %s", quote(word), list.what)
			}
			c.unique(seen, list.at.index(i), word, quote(word))
		}
	}
}

// signatureTemplate checks what stands beside the text; the text itself is compiled when the scheme is made.
func (c *checker) signatureTemplate(at path, t *SignatureTemplate) {
	if t.Text == "" {
		c.errorf(at.dot("text"), `write such as "{timestamp}\n{method}\n{host}\n{path}\n{query_sorted}\n{body_sha256_hex}"`, "is empty")
	}
	c.atMost(at.dot("text"), t.Text, mostTemplate)
	oneWord(c, at.dot("algorithm"), t.Algorithm, algorithmHMAC, algorithmHMACSHA384, algorithmHMACSHA512)
	c.templateHeader(at.dot("signature").dot("header"), t.Signature.Header)
	oneWord(c, at.dot("signature").dot("encoding"), t.Signature.Encoding, EncodingHex, EncodingBase64, EncodingBase64URL)
	if len(t.Signature.Prefix) > 128 || !isPrintable(t.Signature.Prefix) {
		c.errorf(at.dot("signature").dot("prefix"), "use up to 128 printable ASCII characters", "%s is not a prefix", quote(t.Signature.Prefix))
	}
	if t.KeyID != nil {
		c.templateHeader(at.dot("keyId").dot("header"), t.KeyID.Header)
	}
	if t.Timestamp != nil {
		c.templateHeader(at.dot("timestamp").dot("header"), t.Timestamp.Header)
		oneWord(c, at.dot("timestamp").dot("unit"), t.Timestamp.Unit, UnitSeconds, UnitMilliseconds, UnitRFC3339)
	}
	if t.Nonce != nil {
		c.templateHeader(at.dot("nonce").dot("header"), t.Nonce.Header)
	}
}

func (c *checker) templateHeader(at path, name string) {
	if !isToken(name) {
		c.errorf(at, "write a header's name", "%s is not one", quote(name))
	}
}

func (c *checker) signatureAlgorithms(at path, s *SignatureScheme, profile *profileFacts) {
	known := slices.Concat(profile.algorithms, profile.weak)
	seen := names{}
	for i, name := range s.Algorithms {
		if profile.algorithms != nil && !slices.Contains(known, name) {
			c.errorf(at.index(i), "use some of "+strings.Join(known, ", "), "profile %s has no algorithm %s", s.Profile, quote(name))
		}
		c.unique(seen, at.index(i), name, quote(name))
	}
}

// cover checks what must be signed: names that the profile has, or header fields in lower case.
func (c *checker) cover(at path, s *SignatureScheme, profile *profileFacts) {
	if s.Profile == ProfileRFC9421 {
		c.coverComponents(at, s.Cover)
		return
	}
	if profile.derived == nil && len(s.Cover) > 0 && profile.algorithms != nil {
		c.errorf(at, "leave it out", "cannot be chosen: what profile %s signs is fixed", s.Profile)
		return
	}
	c.count(at, len(s.Cover), 64)
	seen := names{}
	for i, name := range s.Cover {
		c.unique(seen, at.index(i), name, quote(name))
		isField := isToken(name) && name == strings.ToLower(name) && !strings.HasPrefix(name, "@") && s.Profile != ProfileTemplate
		if !isField && !slices.Contains(profile.derived, name) {
			remedy := "write header names in lower case"
			if len(profile.derived) > 0 {
				remedy = "use " + strings.Join(profile.derived, ", ")
				if s.Profile != ProfileTemplate {
					remedy += " and header names in lower case"
				}
			}
			c.errorf(at.index(i), remedy, "%s is nothing that profile %s signs", quote(name), s.Profile)
		}
	}
}

// coverComponents checks the identifiers of covered components (RFC 9421 section 2).
func (c *checker) coverComponents(at path, cover []string) {
	derived := facts[ProfileRFC9421].derived
	c.count(at, len(cover), 64)
	seen := names{}
	for i, id := range cover {
		place := at.index(i)
		c.unique(seen, place, id, quote(id))
		c.atMost(place, id, mostComponent)
		switch name, params, _ := strings.Cut(id, ";"); {
		case name == "@query-param":
			if param, ok := quoted(params, "name="); !ok || param == "" {
				c.errorf(place, `write @query-param;name="…"`, "%s does not name its parameter", quote(id))
			}
		case strings.HasPrefix(name, "@"):
			if params != "" || !slices.Contains(derived, name) {
				c.errorf(place, `use header names, @query-param;name="…" or `+strings.Join(derived, ", "),
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
