package signature

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// origin is the scheme and authority by which clients know the service, where that differs from what Envoy sees.
type origin struct{ scheme, authority string }

func newOrigin(e *v1alpha1.ExternalOrigin) origin {
	if e == nil {
		return origin{}
	}
	return origin{e.Scheme, e.Authority}
}

var (
	errAbsent      = errors.New("it is covered, but not in the request as Envoy showed it")
	errScheme      = errors.New("the request's scheme is neither http nor https; set external.scheme")
	errAuthority   = errors.New("the host is not one host")
	errTarget      = errors.New("the request target is not a path")
	errBytes       = errors.New("its value holds a control byte or a byte outside ASCII")
	errLines       = errors.New("its lines cannot be told apart: Envoy must be set to encode_raw_headers")
	errFieldType   = errors.New("it is covered as a structured field, but its type is not known")
	errMembers     = errors.New("it does not parse as the structured field that it is covered as")
	errNoMember    = errors.New("the dictionary member that is covered is absent")
	errQueryParam  = errors.New("the query parameter is absent or its encoding is broken")
	errQueryParams = errors.New("the query parameter occurs more than once")
	errCostly      = errors.New("too much of the request would have to be searched for the parts that are covered")
)

// appendBase appends the signature base (RFC 9421 section 2.5) of the request to buf.
//
// Envoy joins repeated fields with a comma alone, where the signer writes a comma and a space. The second reading
// (n = 1) puts the space in; more reports that it would make a difference.
func (o origin) appendBase(r *authz.Request, c *claim, n int, buf []byte) (base []byte, more bool, err error) {
	searched := 0
	for i := range c.covered {
		k := &c.covered[i]
		if searched += k.searches(r); searched > maxSearched {
			return buf, false, errCostly
		}
		buf = append(buf, c.params[k.from:k.to]...)
		buf = append(buf, ": "...)
		start := len(buf)
		var joined bool
		if buf, joined, err = o.appendValue(buf, r, k, n == 1); err == nil && !isText(buf[start:]) {
			err = errBytes
		}
		if err != nil {
			return buf, false, fmt.Errorf("%s: %w", c.params[k.from:k.to], err)
		}
		more = more || joined && n == 0
		buf = append(buf, '\n')
	}
	buf = append(buf, `"@signature-params": `...)
	return append(buf, c.params...), more, nil
}

// searches returns how many bytes must be read to find the component. It is what keeps 64 names from costing 64 times a
// long query or field. A byte of a structured field is dear, for every two may be an item, and counts as 16.
func (k *component) searches(r *authz.Request) (n int) {
	switch {
	case k.flags&flagName != 0:
		return len(r.Query)
	case k.flags&(flagKey|flagSF) != 0:
		for i := range r.Headers {
			if r.Headers[i].Name == k.name {
				n += 16 * len(r.Headers[i].Value)
			}
		}
	}
	return n
}

// isText reports whether s may stand in a signature base. Without line breaks in it no value can pass for another line.
func isText[T string | []byte](s T) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c > '~' {
			return false
		}
	}
	return true
}

// appendValue appends the value of a covered component. joined reports that it may have been several field lines.
func (o origin) appendValue(buf []byte, r *authz.Request, k *component, respace bool) (_ []byte, joined bool, err error) {
	switch k.name {
	case "@method":
		return append(buf, r.Method...), false, nil
	case "@scheme":
		buf, err = o.appendScheme(buf, r)
	case "@authority":
		buf, err = o.appendAuthority(buf, r)
	case "@target-uri":
		if buf, err = o.appendScheme(buf, r); err != nil {
			return buf, false, err
		}
		buf = append(buf, "://"...)
		if buf, err = o.appendAuthority(buf, r); err != nil {
			return buf, false, err
		}
		buf, err = appendTarget(buf, r)
	case "@request-target":
		buf, err = appendTarget(buf, r)
	case "@path":
		buf, err = appendPath(buf, r)
	case "@query":
		buf = append(append(buf, '?'), r.Query...)
	case "@query-param":
		buf, err = appendQueryParam(buf, r.Query, k.arg)
	default:
		return o.appendField(buf, r, k, respace)
	}
	return buf, false, err
}

// effectiveScheme is what clients dialled. Envoy lets clients choose :scheme on most listeners, so what it says is
// used only to tell http from https, and external.scheme should be set wherever signatures cover @scheme or @target-uri.
func (o origin) effectiveScheme(r *authz.Request) string {
	switch {
	case o.scheme != "":
		return o.scheme
	case strings.EqualFold(r.Scheme, "https"):
		return "https"
	case strings.EqualFold(r.Scheme, "http"):
		return "http"
	default:
		return ""
	}
}

func (o origin) appendScheme(buf []byte, r *authz.Request) ([]byte, error) {
	scheme := o.effectiveScheme(r)
	if scheme == "" {
		return buf, errScheme
	}
	return append(buf, scheme...), nil
}

// appendAuthority appends the host in lower case, without the scheme's default port (RFC 9110 section 4.2.3).
func (o origin) appendAuthority(buf []byte, r *authz.Request) ([]byte, error) {
	host := o.authority
	if host == "" {
		host = r.Host
	}
	switch o.effectiveScheme(r) {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	for i := range len(host) {
		c := host[i]
		if c <= ' ' || c == ',' {
			return buf, errAuthority
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf = append(buf, c)
	}
	if host == "" {
		return buf, errAuthority
	}
	return buf, nil
}

func appendPath(buf []byte, r *authz.Request) ([]byte, error) {
	switch {
	case r.Method == "CONNECT", r.Path != "" && r.Path[0] != '/':
		return buf, errTarget
	case r.Path == "":
		return append(buf, '/'), nil
	default:
		return append(buf, r.Path...), nil
	}
}

func appendTarget(buf []byte, r *authz.Request) ([]byte, error) {
	buf, err := appendPath(buf, r)
	if err == nil && r.HasQuery {
		buf = append(append(buf, '?'), r.Query...)
	}
	return buf, err
}

// appendField appends the value of a field (RFC 9421 section 2.1).
func (o origin) appendField(buf []byte, r *authz.Request, k *component, respace bool) (_ []byte, joined bool, err error) {
	switch _, count := r.Header(k.name); {
	case count == 0 && k.name == "host" && k.flags == 0:
		// Envoy keeps Host apart from the other fields.
		host := o.authority
		if host == "" {
			host = r.Host
		}
		return append(buf, host...), false, nil
	case count == 0:
		return buf, false, errAbsent
	case k.flags&flagKey != 0:
		buf, err = appendMember(buf, r, k.name, k.arg)
		return buf, false, err
	case k.flags&flagSF != 0:
		buf, err = appendStructured(buf, r, k.name, fieldTypes[k.name])
		return buf, false, err
	case k.flags&flagBS != 0 && !r.RawHeaders:
		return buf, false, errLines
	}
	mayBeJoined := !r.RawHeaders || inline[k.name]
	lines := 0
	for i := range r.Headers {
		if r.Headers[i].Name != k.name {
			continue
		}
		if lines++; lines > 1 {
			buf = append(buf, ", "...)
		}
		value := trim(r.Headers[i].Value)
		if k.flags&flagBS != 0 {
			buf = append(buf, ':')
			buf = base64.StdEncoding.AppendEncode(buf, []byte(value))
			buf = append(buf, ':')
			continue
		}
		if mayBeJoined && hasBareComma(value) {
			joined = true
			if respace {
				buf = appendRespaced(buf, value)
				continue
			}
		}
		buf = append(buf, value...)
	}
	return buf, joined, nil
}

// inline are the fields that Envoy keeps as one value even with encode_raw_headers, joined with a comma alone.
var inline = map[string]bool{
	"accept": true, "accept-encoding": true, "authorization": true, "cache-control": true, "content-type": true,
	"content-encoding": true, "expect": true, "origin": true, "referer": true, "user-agent": true, "via": true,
	"x-forwarded-for": true,
}

// hasBareComma reports whether a comma without a space after it stands in s.
func hasBareComma(s string) bool {
	for i := range len(s) {
		if s[i] == ',' && (i+1 == len(s) || s[i+1] != ' ') {
			return true
		}
	}
	return false
}

func appendRespaced(buf []byte, s string) []byte {
	for i := range len(s) {
		buf = append(buf, s[i])
		if s[i] == ',' && (i+1 == len(s) || s[i+1] != ' ') {
			buf = append(buf, ' ')
		}
	}
	return buf
}
