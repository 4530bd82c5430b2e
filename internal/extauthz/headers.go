package extauthz

import (
	"errors"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

var (
	errGiantHeaders = malformed("there are more than 1000 header fields, or more than 256 KiB of them")
	errHeaderName   = malformed("a header name is not a token")
	errHeaderValue  = malformed("a header value holds NUL, CR or LF")
	errTwoValues    = malformed("value and raw_value of a header differ")
	errPseudo       = malformed("a pseudo-header contradicts the request's method, path or scheme")
	errTwoHosts     = authz.Fail(authz.ReasonAmbiguousHost, errors.New("the request names two hosts"))
)

// mapHeader reads an entry of HttpRequest.headers.
func (d *decoder) mapHeader(entry []byte) error {
	name, value, err := textEntry(entry)
	if err != nil {
		return err
	}
	d.mapped = true
	return d.header(name, value)
}

// headerMap reads a field of HttpRequest.header_map.
func (d *decoder) headerMap(f field) error {
	if f.tag != 1<<3|length {
		return nil
	}
	var name, value string
	var raw []byte
	err := each(f.bytes, func(f field) error {
		switch f.tag {
		case 1<<3 | length:
			return setText(&name, f.bytes)
		case 2<<3 | length:
			return setText(&value, f.bytes)
		case 3<<3 | length:
			raw = f.bytes
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case value == "":
		value = alias(raw)
	case len(raw) > 0 && value != alias(raw):
		return errTwoValues
	}
	d.RawHeaders = true
	return d.header(name, value)
}

// header adds one header field. HTTP/2 leaves the whitespace around a value that HTTP/1 takes away.
func (d *decoder) header(name, value string) error {
	d.headerCount++
	d.headerBytes += len(name) + len(value)
	if d.headerCount > MaxHeaders || d.headerBytes > MaxHeaderBytes {
		return errGiantHeaders
	}
	if strings.HasPrefix(name, ":") {
		return d.pseudo.add(name, value)
	}
	name, ok := lowerToken(name)
	if !ok {
		return errHeaderName
	}
	if hasBreak(value) {
		return errHeaderValue
	}
	if value != "" && (isSpace(value[0]) || isSpace(value[len(value)-1])) {
		value = strings.Trim(value, " \t")
	}
	if name == "host" {
		return d.pseudo.addHost(value)
	}
	d.Headers = append(d.Headers, authz.Header{Name: name, Value: value})
	return nil
}

// hasBreak reports whether s holds a byte that ends a header value for some reader.
func hasBreak(s string) bool {
	return strings.IndexByte(s, '\n') >= 0 || strings.IndexByte(s, '\r') >= 0 || strings.IndexByte(s, 0) >= 0
}

// tokenBytes maps each byte of a token (RFC 9110 section 5.6.2) to its lower case, every other byte to 0.
var tokenBytes = func() (t [256]byte) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = byte(c), byte(c)
	}
	for _, c := range []byte("0123456789!#$%&'*+-.^_`|~") {
		t[c] = c
	}
	return t
}()

// lowerToken returns a token in lower case, itself if it is already; false if s is not a token.
func lowerToken(s string) (string, bool) {
	lower := true
	for i := range len(s) {
		c := tokenBytes[s[i]]
		if c == 0 {
			return "", false
		}
		lower = lower && c == s[i]
	}
	if lower {
		return s, s != ""
	}
	return strings.ToLower(s), true
}

// pseudoHeaders keeps the header fields that repeat what HttpRequest says in fields of its own.
type pseudoHeaders struct {
	method, path, scheme, authority, host pseudoHeader
}

type pseudoHeader struct {
	value string
	sent  bool
}

// set reports whether the field is new or says the same again.
func (h *pseudoHeader) set(value string) bool {
	same := !h.sent || h.value == value
	*h = pseudoHeader{value, true}
	return same
}

func (h *pseudoHeader) contradicts(value string) bool { return h.sent && h.value != value }

func (p *pseudoHeaders) add(name, value string) error {
	same := true
	switch name {
	case ":method":
		same = p.method.set(value)
	case ":path":
		same = p.path.set(value)
	case ":scheme":
		same = p.scheme.set(value)
	case ":authority":
		if !p.authority.set(value) {
			return errTwoHosts
		}
	}
	if !same {
		return errPseudo
	}
	return nil
}

func (p *pseudoHeaders) addHost(value string) error {
	if !p.host.set(value) {
		return errTwoHosts
	}
	return nil
}

// agree compares them with the fields that the rest of Postern reads.
func (p *pseudoHeaders) agree(d *decoder) error {
	switch {
	case p.authority.contradicts(d.Host) || p.host.contradicts(d.Host):
		return errTwoHosts
	case p.method.contradicts(d.Method) || p.path.contradicts(d.target) || p.scheme.contradicts(d.Scheme):
		return errPseudo
	}
	return nil
}
