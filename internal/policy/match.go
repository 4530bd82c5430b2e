package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// match is one alternative of a match list, of a rule or of a Route: the unit that routers hold.
type match struct {
	rule    *rule       // nil in a Route's
	route   *routeMatch // nil in a rule's
	path    pathPattern
	loose   bool // entered for the loose reading only, see pathPattern.loose
	methods []string
	headers []headerValue
	sources []netip.Prefix

	order int    // position in the policy or Route
	field string // "spec.rules[1].match[0]", for messages
}

// headerValue is a header that must occur once, with this value.
type headerValue struct{ name, value string }

// probe is a request on its way through a router.
type probe struct {
	request *authz.Request
	method  string
	source  netip.Addr // invalid until read, and where the peer has no IP address
	read    bool
	doubt   *authz.Failure // set if it cannot be told whether a match holds
}

// fits reports whether the request fits by the path in one of its readings.
func (m *match) fits(p *probe, path string, loose bool) bool {
	return (loose || !m.loose) && m.path.matches(path) && m.holds(p)
}

// holds reports whether everything but the path fits.
func (m *match) holds(p *probe) bool {
	part, _ := m.conflict(p)
	return part == ""
}

// conflict returns the part of the match that the request does not have, and its name if such parts have names; "" if
// it has all.
func (m *match) conflict(p *probe) (part, name string) {
	if len(m.methods) > 0 && !slices.Contains(m.methods, p.method) {
		return "method", ""
	}
	for i := range m.headers {
		if !m.headers[i].in(p.request) {
			return "header", m.headers[i].name
		}
	}
	if len(m.sources) > 0 && !p.from(m.sources) {
		return "source", ""
	}
	if m.route != nil {
		return m.route.conflict(p)
	}
	return "", ""
}

// in reports whether the request has the header once, with the value. Where Envoy did not send raw bytes it wrote '!'
// for each that is not UTF-8, so there a value with '!' never matches.
func (h *headerValue) in(r *authz.Request) bool {
	value, n := r.Header(h.name)
	return n == 1 && value == h.value && (r.RawHeaders || strings.IndexByte(value, '!') < 0)
}

// from reports whether the peer that Envoy accepted has an address in one of the prefixes.
func (p *probe) from(prefixes []netip.Prefix) bool {
	if !p.read {
		p.read = true
		if addr, err := netip.ParseAddr(p.request.Source.Address); err == nil {
			p.source = addr.Unmap().WithZone("")
		}
	}
	return slices.ContainsFunc(prefixes, func(prefix netip.Prefix) bool { return prefix.Contains(p.source) })
}

// compare orders matches, the one that wins first. Those of rules and those of Routes are never in one router.
func (m *match) compare(o *match) int {
	if c := m.path.compare(&o.path); c != 0 {
		return c
	}
	if m.route != nil {
		return m.compareRouted(o)
	}
	return cmp.Or(
		first(!m.loose, !o.loose),
		first(len(m.methods) > 0, len(o.methods) > 0),
		cmp.Compare(len(o.headers), len(m.headers)),
		first(len(m.sources) > 0, len(o.sources) > 0),
		m.rule.policy.compare(o.rule.policy),
		cmp.Compare(m.order, o.order),
	)
}

// key is equal for matches that hold for the same requests.
func (m *match) key() string {
	return fmt.Sprintf("%t %q %q %q %v", m.loose, m.path.key(), m.methods, m.headers, m.sources)
}

// compile compiles what is written. Errors are reported with the field inside the match.
func (m *match) compile(in *v1alpha1.Match, s *shared, fail report) {
	path, field, err := s.path(in.Path)
	if err != nil {
		fail(field, "correct the pattern", err)
	}
	m.path = path
	m.methods = s.methodSet(in.Methods)
	for _, h := range in.Headers {
		m.headers = append(m.headers, headerValue{strings.ToLower(h.Name), h.Value})
	}
	slices.SortFunc(m.headers, func(a, b headerValue) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.value, b.value))
	})
	for i, text := range in.Sources {
		prefix, err := parseSource(text)
		if err != nil {
			fail(fmt.Sprintf("sources[%d]", i), "write a prefix such as 10.0.0.0/8 or 192.0.2.1/32", err)
			continue
		}
		m.sources = append(m.sources, prefix.Masked())
	}
	slices.SortFunc(m.sources, netip.Prefix.Compare)
}

// parseSource reads an IP prefix, or an address, which is the prefix of all its bits.
func parseSource(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	return netip.ParsePrefix(text)
}
