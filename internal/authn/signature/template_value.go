package signature

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// templateEncoding is a way to write a signature. append appends what the text stands for, which must be all of it.
type templateEncoding struct {
	append func(dst []byte, text string) ([]byte, bool)
	encode func(sig []byte) string
}

var templateEncodings = map[v1alpha1.TemplateEncoding]templateEncoding{
	v1alpha1.EncodingHex:       {appendHex, hex.EncodeToString},
	v1alpha1.EncodingBase64:    {appendBase64, base64.StdEncoding.EncodeToString},
	v1alpha1.EncodingBase64URL: {appendBase64URL, base64.RawURLEncoding.EncodeToString},
}

func appendHex(dst []byte, text string) ([]byte, bool) {
	dst, err := hex.AppendDecode(dst, []byte(text))
	return dst, err == nil
}

// strictBase64URL is unpadded base64url, whose last character has no stray bits.
var strictBase64URL = base64.RawURLEncoding.Strict()

func appendBase64URL(dst []byte, text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") { // which encoding/base64 skips
		return dst, false
	}
	dst, err := strictBase64URL.AppendDecode(dst, []byte(text))
	return dst, err == nil
}

// timeUnit is a way to write a time. No time begins or ends with the text of another.
type timeUnit struct {
	read  func(text string) (time.Time, bool)
	write func(time.Time) string
}

var timeUnits = map[v1alpha1.TimestampUnit]timeUnit{
	v1alpha1.UnitSeconds:      {readSeconds, func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }},
	v1alpha1.UnitMilliseconds: {readMilliseconds, func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }},
	v1alpha1.UnitRFC3339:      {readRFC3339, func(t time.Time) string { return t.UTC().Format(time.RFC3339) }},
}

// Times from 2001 to 2286 are written with as many digits.

func readSeconds(text string) (time.Time, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(n, 0), err == nil && shaped(text, "0000000000") && text[0] != '0'
}

func readMilliseconds(text string) (time.Time, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(n), err == nil && shaped(text, "0000000000000") && text[0] != '0'
}

// readRFC3339 is stricter than [time.Parse], which takes one digit for an hour and a comma for a fraction.
func readRFC3339(text string) (time.Time, bool) {
	const seconds = "0000-00-00T00:00:00"
	if len(text) <= len(seconds) || !shaped(text[:len(seconds)], seconds) {
		return time.Time{}, false
	}
	zone := text[len(seconds):]
	if zone[0] == '.' {
		zone = strings.TrimLeft(zone[1:], "0123456789")
	}
	if zone != "Z" && !shaped(zone, "+00:00") && !shaped(zone, "-00:00") {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}

// shaped reports whether text is the shape with each 0 replaced by some digit.
func shaped(text, shape string) bool {
	if len(text) != len(shape) {
		return false
	}
	for i := range len(shape) {
		if c := text[i]; c != shape[i] && (shape[i] != '0' || !isDigit(c)) {
			return false
		}
	}
	return true
}

// templateField is a header that holds one value.
type templateField struct {
	header string
	absent error // what a request without it is answered
}

func newTemplateField(header string) *templateField {
	return &templateField{strings.ToLower(header), malformed(header + " is absent or empty")}
}

func (f *templateField) value(r *authz.Request) (string, error) {
	value, _, err := oneValue(r, f.header)
	if err == nil && value == "" {
		err = f.absent
	}
	return value, err
}

// templateSignature is the header that holds the signature.
type templateSignature struct {
	templateField
	templateEncoding
	prefix  string
	shared  bool           // with other schemes of authentication, of which the prefix tells
	misread *authz.Failure // it is not written as the template says
}

// value appends the signature to dst.
func (f *templateSignature) value(r *authz.Request, dst []byte) ([]byte, error) {
	value, found, err := oneField(r, f.header)
	if err != nil {
		return dst, err
	}
	text, prefixed := strings.CutPrefix(value, f.prefix)
	switch {
	case !found, f.shared && !hasPrefixFold(value, f.prefix):
		return dst, f.absent
	case strings.Contains(text, ","): // with which Envoy joins several
		return dst, errFieldTwice
	case !prefixed:
		return dst, f.misread
	}
	dst, ok := f.append(dst, text)
	if !ok || len(dst) == 0 {
		return dst, f.misread
	}
	return dst, nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
