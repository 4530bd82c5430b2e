package policy

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// valueMatch is a header or query parameter that a Route asks for, with its value.
type valueMatch struct {
	name  string
	value string
	regex *regexp.Regexp // nil: the value itself
}

var (
	doubtfulHeader = authz.Fail(authz.ReasonAmbiguousRoute,
		errors.New("a header that routes match holds bytes that cannot be told, or that are not UTF-8"))
	doubtfulParam = authz.Fail(authz.ReasonAmbiguousRoute,
		errors.New("a query parameter that routes match is encoded, or is there with different values"))
)

// newValueMatches compiles a list of conditions, of which the first for a name counts. One that cannot be read is left
// out.
func newValueMatches(list []v1alpha1.RouteValueMatch, canonical func(string) string, deny func(error)) []valueMatch {
	var out []valueMatch
	for _, in := range list {
		v := valueMatch{name: canonical(in.Name), value: in.Value}
		if slices.ContainsFunc(out, func(before valueMatch) bool { return before.name == v.name }) {
			continue
		}
		if in.Regex {
			var err error
			if v.regex, _, err = compileRegex(in.Value); err != nil {
				deny(err)
				continue
			}
		}
		out = append(out, v)
	}
	return out
}

// conflict returns the part of the match that the request does not have, and its name; "" if it has all.
func (m *routeMatch) conflict(p *probe) (part, name string) {
	for i := range m.headers {
		if !m.headers[i].inHeaders(p) {
			return "header", m.headers[i].name
		}
	}
	for i := range m.query {
		if !m.query[i].inQuery(p) {
			return "query parameter", m.query[i].name
		}
	}
	return "", ""
}

func (v *valueMatch) fits(value string) bool {
	if v.regex != nil {
		return v.regex.MatchString(value)
	}
	return value == v.value
}

// inHeaders reports whether the header fits as Envoy sees it: the values of a repeated field are joined by commas. It is
// in doubt where Envoy did not send raw bytes, since it wrote '!' for each that is not UTF-8, and where an
// expression meets such bytes.
func (v *valueMatch) inHeaders(p *probe) bool {
	r := p.request
	if v.name == "host" {
		return v.fits(r.Host)
	}
	value, n := r.Header(v.name)
	if n > 1 {
		value = joined(r.Headers, v.name)
	}
	if n > 0 && (!r.RawHeaders && strings.IndexByte(value, '!') >= 0 || v.regex != nil && !utf8.ValidString(value)) {
		p.doubt = doubtfulHeader
	}
	return n > 0 && v.fits(value)
}

func joined(headers []authz.Header, name string) string {
	var values []string
	for i := range headers {
		if headers[i].Name == name {
			values = append(values, headers[i].Value)
		}
	}
	return strings.Join(values, ",")
}

// inQuery reports whether the query parameter fits as Envoy sees it: the first of its name, nothing decoded. It is in
// doubt where another reader would see something else: an encoded name or value, or a second value.
func (v *valueMatch) inQuery(p *probe) bool {
	value, found := "", false
	_ = authz.EachParam(p.request.Query, func(raw, sent string) error {
		if !authz.ParamNamed(raw, v.name) {
			return nil
		}
		if raw != v.name || found && sent != value || strings.ContainsAny(sent, "%+") {
			p.doubt = doubtfulParam
		}
		if raw == v.name && !found {
			value, found = sent, true
		}
		return nil
	})
	return found && v.fits(value)
}
