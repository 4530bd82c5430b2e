package authz

import (
	"slices"
	"strings"
)

// Challenge is what a denied caller is told about one scheme: a WWW-Authenticate value (RFC 9110 section 11.6.1)
// and further response headers, such as Accept-Signature. It is rendered when a policy is compiled.
type Challenge struct {
	Scheme  string   // "Bearer", "ApiKey", "Signature"
	Params  []Field  // in order; realm first by custom
	Headers []Header // sent beside the WWW-Authenticate value
}

// With returns a copy of the challenge with one more parameter.
func (c Challenge) With(name, value string) Challenge {
	c.Params = append(slices.Clip(c.Params), Field{name, value})
	return c
}

// String renders the WWW-Authenticate value; every parameter is a quoted string.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString(c.Scheme)
	for i, p := range c.Params {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte(' ')
		b.WriteString(p.Name)
		b.WriteByte('=')
		writeQuoted(&b, p.Value)
	}
	return b.String()
}

// writeQuoted writes s as a quoted-string (RFC 9110 section 5.6.4); bytes that may not stand in one become '?'.
func writeQuoted(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' && c != '\t', c == 0x7f:
			b.WriteByte('?')
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}
