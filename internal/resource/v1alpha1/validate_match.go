package v1alpha1

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// The bounds of a match.
const (
	mostMatches = 256
	mostPath    = 1024 // bytes of a path, template or expression
)

func (c *checker) matches(at path, matches []Match) {
	if matches != nil && len(matches) == 0 {
		c.errorf(at, "leave match out for every request", "is empty")
	}
	c.count(at, len(matches), mostMatches)
	for i := range matches {
		c.match(at.index(i), &matches[i])
	}
}

func (c *checker) match(at path, m *Match) {
	if m.Path == nil && m.Methods == nil && m.Headers == nil && m.Sources == nil {
		c.errorf(at, "name a path, methods, headers or sources, or leave match out for every request", "is empty")
	}
	if m.Path != nil {
		c.pathMatch(at.dot("path"), m.Path)
	}
	c.methods(at.dot("methods"), m.Methods)
	c.headerMatches(at.dot("headers"), m.Headers)
	c.sources(at.dot("sources"), m.Sources)
}

func (c *checker) pathMatch(at path, p *PathMatch) {
	c.oneOf(at, choice{"exact", p.Exact != ""}, choice{"prefix", p.Prefix != ""},
		choice{"template", p.Template != ""}, choice{"regex", p.Regex != ""})
	if p.Exact != "" {
		c.canonicalPath(at.dot("exact"), p.Exact)
	}
	if p.Prefix != "" {
		c.canonicalPath(at.dot("prefix"), p.Prefix)
	}
	if p.Template != "" {
		c.template(at.dot("template"), p.Template)
	}
	if p.Regex != "" {
		c.length(at.dot("regex"), p.Regex, mostPath)
		if _, err := regexp.Compile(p.Regex); err != nil {
			c.errorf(at.dot("regex"), "write it in RE2's syntax", "%s", err)
		}
	}
}

// canonicalPath checks a path that requests are compared with: in any other than the canonical form it would never
// match, and a rule that never matches protects nothing.
func (c *checker) canonicalPath(at path, text string) {
	c.length(at, text, mostPath)
	switch canonical, err := authz.CanonicalPath(text); {
	case err != nil:
		c.errorf(at, "write a path as clients send it, beginning with '/', without query", "%s: %v", quote(text), err)
	case canonical != text:
		c.errorf(at, "write "+canonical, "%s is not the path's canonical form", quote(text))
	}
}

// template checks a path with {name} for one segment and, at its end, {name=**} for the rest.
func (c *checker) template(at path, text string) {
	const remedy = "write segments as text or {name}, the last one perhaps {name=**}"
	c.length(at, text, mostPath)
	segments := strings.Split(text, "/")
	var seen []string
	for i, s := range segments {
		inner, ok := strings.CutPrefix(s, "{")
		if !ok {
			if strings.ContainsAny(s, "{}") {
				c.errorf(at, remedy, "%s: %s mixes text and a parameter", quote(text), quote(s))
				return
			}
			continue
		}
		inner, ok = strings.CutSuffix(inner, "}")
		name, rest := strings.CutSuffix(inner, "=**")
		switch {
		case !ok || !isIdentifier(name):
			c.errorf(at, remedy+"; a name consists of letters, digits and '_'", "%s: %s is not a parameter", quote(text), quote(s))
			return
		case rest && i != len(segments)-1:
			c.errorf(at, remedy, "%s: %s is not at the end", quote(text), quote(s))
			return
		case slices.Contains(seen, name):
			c.errorf(at, "give each parameter its own name", "%s: the parameter %s is there twice", quote(text), quote(name))
			return
		}
		seen = append(seen, name)
		segments[i] = "x"
	}
	literal := strings.Join(segments, "/")
	if canonical, err := authz.CanonicalPath(literal); err != nil || canonical != literal {
		c.canonicalPath(at, text)
	}
}

func (c *checker) methods(at path, methods []string) {
	if methods != nil && len(methods) == 0 {
		c.errorf(at, "leave it out for every method", "is empty")
	}
	c.count(at, len(methods), 32)
	seen := names{}
	for i, m := range methods {
		upper := strings.ToUpper(m)
		switch valid := isToken(m) && strings.Trim(upper, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == ""; {
		case valid && m != upper:
			c.errorf(at.index(i), "write "+upper, "methods are compared with their case, and %s is not in upper case", quote(m))
		case !valid:
			c.errorf(at.index(i), "write a method such as GET, or leave methods out for every one", "%s is not a method", quote(m))
		}
		c.unique(seen, at.index(i), m, quote(m))
	}
}

func (c *checker) headerMatches(at path, headers []HeaderMatch) {
	if headers != nil && len(headers) == 0 {
		c.errorf(at, "leave it out if headers do not matter", "is empty")
	}
	c.count(at, len(headers), 32)
	seen := names{}
	for i, h := range headers {
		name := at.index(i).dot("name")
		if c.headerName(name, h.Name) && isHint(h.Name) {
			c.errorf(name, "match on path, method, sources or a header of your own", "clients can set %s, and proxies change it", quote(h.Name))
		}
		c.unique(seen, name, strings.ToLower(h.Name), "the header "+quote(h.Name))
		if len(h.Value) > 4096 || hasControl(h.Value) || strings.Trim(h.Value, " \t") != h.Value {
			c.errorf(at.index(i).dot("value"), "write it without spaces around it and control characters", "is not a header's value")
		}
	}
}

func (c *checker) sources(at path, sources []string) {
	if sources != nil && len(sources) == 0 {
		c.errorf(at, "leave it out for every source", "is empty")
	}
	c.count(at, len(sources), 1000)
	seen := names{}
	for i, s := range sources {
		prefix, err := netip.ParsePrefix(s)
		if addr, e := netip.ParseAddr(s); e == nil && addr.Zone() == "" {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		switch {
		case err != nil:
			c.errorf(at.index(i), "write it like 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1", "%s is not an IP address or prefix", quote(s))
		case prefix.Addr().Is4In6():
			c.errorf(at.index(i), "write it as an IPv4 address", "%s is an IPv4 address in IPv6 form", quote(s))
		case prefix != prefix.Masked():
			c.errorf(at.index(i), "write "+prefix.Masked().String(), "%s has bits set beyond its length", quote(s))
		default:
			c.unique(seen, at.index(i), prefix.String(), quote(s))
		}
	}
}
