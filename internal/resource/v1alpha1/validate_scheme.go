package v1alpha1

import (
	"net/url"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// Validate returns everything that is wrong with the scheme. It expects defaults to be set.
func (s *AuthScheme) Validate() Errors {
	c := &checker{kind: KindAuthScheme, meta: &s.ObjectMeta}
	const spec = path("spec")
	c.typeMeta(s.TypeMeta)
	c.metadata()
	if len(s.Spec.Realm) > 256 || !isPrintable(s.Spec.Realm) {
		c.errorf(spec.dot("realm"), "use up to 256 printable ASCII characters", "cannot stand in WWW-Authenticate")
	}
	c.oneOf(spec,
		choice{"apiKey", s.Spec.APIKey != nil},
		choice{"signature", s.Spec.Signature != nil},
		choice{"jwt", s.Spec.JWT != nil})
	if k := s.Spec.APIKey; k != nil {
		at := spec.dot("apiKey")
		c.locations(at.dot("in"), k.In)
		oneWord(c, at.dot("checksum"), k.Checksum, ChecksumRequired, ChecksumIgnored)
		c.selector(at.dot("apps"), k.Apps)
	}
	if s.Spec.Signature != nil {
		c.signature(spec.dot("signature"), s.Spec.Signature)
	}
	if s.Spec.JWT != nil {
		c.jwt(spec.dot("jwt"), s.Spec.JWT)
	}
	return c.errs
}

func (c *checker) selector(at path, s AppSelector) {
	c.count(at.dot("namespaces"), len(s.Namespaces), 256)
	for i, ns := range s.Namespaces {
		if !IsDNSLabel(ns) {
			c.errorf(at.dot("namespaces").index(i), labelRemedy, "%s is not a namespace", quote(ns))
		}
	}
	c.count(at.dot("matchLabels"), len(s.MatchLabels), 64)
	c.labels(at.dot("matchLabels"), s.MatchLabels)
}

func (c *checker) locations(at path, in []Location) {
	c.count(at, len(in), authz.MaxLocations)
	seen := names{}
	for i, l := range in {
		c.location(at.index(i), l)
		c.unique(seen, at.index(i), strings.ToLower(l.Header+" "+l.Prefix)+"\n"+l.Query+"\n"+l.Cookie, "this place")
	}
}

func (c *checker) location(at path, l Location) {
	c.oneOf(at, choice{"header", l.Header != ""}, choice{"query", l.Query != ""}, choice{"cookie", l.Cookie != ""})
	if l.Header != "" && c.headerName(at.dot("header"), l.Header) {
		switch name := strings.ToLower(l.Header); {
		case name == "cookie":
			c.errorf(at.dot("header"), "write {cookie: NAME} instead", "a credential is in one cookie, not in all of them")
		case carriesRequest(name):
			c.errorf(at.dot("header"), "use Authorization or a header of its own", "%s carries the request itself", quote(l.Header))
		case isHint(name):
			c.errorf(at.dot("header"), "use Authorization or a header of its own", "%s is set by proxies", quote(l.Header))
		}
	}
	if l.Query != "" && !isToken(l.Query) {
		c.errorf(at.dot("query"), "use letters, digits, '-' and '_'", "%s is not a parameter's name", quote(l.Query))
	}
	if l.Cookie != "" && !isToken(l.Cookie) {
		c.errorf(at.dot("cookie"), "use letters, digits, '-' and '_'", "%s is not a cookie's name", quote(l.Cookie))
	}
	switch {
	case l.Prefix == "":
	case l.Header == "":
		c.errorf(at.dot("prefix"), "leave it out, or use a header", "only a header has a prefix")
	case len(l.Prefix) > 64 || !isPrintable(l.Prefix) || l.Prefix[0] == ' ' || strings.Contains(l.Prefix, ","):
		c.errorf(at.dot("prefix"), `write it like "Bearer ": printable ASCII without commas, not beginning with a space`,
			"%s is not a prefix", quote(l.Prefix))
	}
}

// secret checks where a secret is to be read.
func (c *checker) secret(at path, s *SecretSource) {
	c.file(at.dot("file"), s.File)
	oneWord(c, at.dot("encoding"), s.Encoding, SecretText, SecretBase64)
}

// file checks a path of the user's. Whether the file is there is found out by whoever reads it.
func (c *checker) file(at path, name string) {
	c.length(at, name, 1024)
	if hasControl(name) {
		c.errorf(at, "name a file, relative to this one", "%s holds a control character", quote(name))
	}
}

// The bounds of what a scheme may configure.
const (
	mostClockSkew = 15 * time.Minute
	mostMaxAge    = 24 * time.Hour
	mostLeeway    = 10 * time.Minute
)

// httpsURL checks the address of something that is fetched: https, or plain http where nothing leaves the machine.
func (c *checker) httpsURL(at path, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		c.errorf(at, "write it like https://login.example.com/keys", "%s is not an absolute URL", quote(text))
	case u.User != nil:
		c.errorf(at, "leave out name and password", "the URL holds credentials")
	case strings.Contains(text, "#"):
		c.errorf(at, "leave out what follows '#'", "the URL has a fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		c.errorf(at, "use https; plain http is only for a loopback address", "%s is not fetched safely", quote(text))
	}
}
