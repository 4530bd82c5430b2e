package telemetry

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/authz"
)

// The longest texts in a line, in bytes; more is cut and marked with an ellipsis. A client chooses the path's length.
const (
	maxName = 256
	maxPath = 1024
)

// timeFormat is RFC 3339 in UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

// appendDecision appends the decision as one line of JSON. Members without a value are left out.
func appendDecision(b []byte, r *authz.Request, d *authz.Decision, took time.Duration) []byte {
	now := r.Now
	if now.IsZero() {
		now = time.Now()
	}
	b = append(b, `{"time":"`...)
	b = now.UTC().AppendFormat(b, timeFormat)
	b = append(b, '"')
	b = appendMember(b, "decision", d.Verdict(), maxName)
	b = appendMember(b, "reason", d.Reason.String(), maxName)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(d.Reason.Class().HTTPStatus()), 10)
	b = appendMember(b, "policy", d.Policy, maxName)
	b = appendMember(b, "rule", d.Rule, maxName)
	b = appendMember(b, "scheme", d.Scheme, maxName)
	if p := d.Principal; p != nil {
		b = appendMember(b, "subject", p.Subject, maxName)
		b = appendMember(b, "app", p.App, maxName)
		b = appendMember(b, "keyId", p.KeyID, maxName)
	}
	b = appendMember(b, "method", r.Method, maxName)
	b = appendMember(b, "host", r.Host, maxName)
	b = appendMember(b, "path", bare(r.Path), maxPath)
	b = appendMember(b, "requestId", r.ID, maxName)
	b = appendMember(b, "source", r.Source.Address, maxName)
	b = append(b, `,"tookUs":`...)
	b = strconv.AppendInt(b, took.Microseconds(), 10)
	if d.Err != nil {
		b = appendMember(b, "error", d.Err.Error(), maxPath)
	}
	return append(b, '}', '\n')
}

// bare returns the path without what may follow it. A malformed target may hold a fragment, and that a token.
func bare(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		return path[:i]
	}
	return path
}

func appendMember(b []byte, name, value string, most int) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return appendString(b, value, most)
}

// appendString appends s as a JSON string (RFC 8259 section 7) of printable characters. Others are escaped, so that
// a line cannot disturb a terminal, and bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string, most int) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		if i >= most {
			b = append(b, "…"...)
			break
		}
		if c := s[i]; c >= ' ' && c < 0x7f {
			if c == '"' || c == '\\' {
				b = append(b, '\\')
			}
			b = append(b, c)
			i++
			continue
		}
		c, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case unicode.IsPrint(c):
			b = utf8.AppendRune(b, c)
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			b = appendEscape(appendEscape(b, high), low)
		default:
			b = appendEscape(b, c)
		}
	}
	return append(b, '"')
}

func appendEscape(b []byte, c rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[c>>12&15], digits[c>>8&15], digits[c>>4&15], digits[c&15])
}
