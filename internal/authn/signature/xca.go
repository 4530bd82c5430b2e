package signature

import (
	"bytes"
	"crypto/md5" //nolint:gosec // see contentMD5
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// xCa is the digest authentication of Alibaba Cloud API Gateway (AppKey and AppSecret), which Higress's hmac-auth knows
// too: https://www.alibabacloud.com/help/en/api-gateway/traditional-api-gateway/user-guide/use-digest-authentication-to-call-an-api
//
// Signed are the method, the values of Accept, Content-MD5, Content-Type and Date, the fields that
// X-Ca-Signature-Headers lists, the path, and all parameters of query and form. A body that is no form is bound by
// Content-MD5 alone: nobody finds another body with the digest of a given one, but whoever writes the body that a partner
// then signs can make two with one digest.
//
// Its clients cannot sign the host, unless they list it; whether a parameter stands in the query or in the form, their
// order, how they are percent-encoded, and whether an empty value has its '='. Of a repeated parameter they sign the
// first value only, and they write parameters decoded, so that a '&' in one looks like the next: both are refused, for
// there the signature would fit other requests as well. The vendor's Node.js SDK sends no Content-MD5 with PUT and
// joins repeated parameters with a comma: its PUTs with a body need body: Unbound. Clients that sign query values as
// encoded, or the path decoded, get through with values that need no encoding.
//
// The signature counts, whatever AppCode stands beside it; that one is not looked at, and goes upstream.
type xCa struct {
	authority string // what clients sign as host; empty: what Envoy sees
	listed    string // what must be listed, as X-Ca-Signature-Headers writes it
}

const (
	xCaKey       = "x-ca-key"
	xCaSignature = "x-ca-signature"
	xCaMethod    = "x-ca-signature-method"
	xCaListed    = "x-ca-signature-headers"
	xCaTimestamp = "x-ca-timestamp"
	xCaNonce     = "x-ca-nonce"
)

var (
	errNoXCa         = fmt.Errorf("%w: neither X-Ca-Key nor X-Ca-Signature", authz.ErrNoCredential)
	errXCaHalf       = malformed("only one of X-Ca-Key and X-Ca-Signature is there")
	errXCaLarge      = malformed("the X-Ca fields are longer than 8 KiB")
	errXCaRepeated   = fail(authz.ReasonAmbiguousCredential, "an X-Ca field occurs twice, or holds a comma as if joined")
	errXCaKey        = malformed("X-Ca-Key is empty")
	errXCaBase64     = malformed("X-Ca-Signature is not standard base64")
	errXCaMethod     = fail(authz.ReasonAlgorithmRefused, "X-Ca-Signature-Method is neither HmacSHA256 nor HmacSHA1")
	errXCaListed     = malformed("X-Ca-Signature-Headers is not a list of field names")
	errXCaTwice      = malformed("X-Ca-Signature-Headers lists a field twice")
	errXCaTimestamp  = malformed("X-Ca-Timestamp is not a number of milliseconds")
	errXCaValues     = errors.New("it occurs with different values, of which only the first is signed")
	errXCaContentMD5 = fail(authz.ReasonBodyMismatch, "the body does not have the digest in Content-MD5")
)

var xCaAlgorithms = []*algorithm{hmacSHA256, hmacSHA1}

// xCaMethods are the algorithms as X-Ca-Signature-Method names them.
var xCaMethods = []struct {
	name      string
	algorithm *algorithm
}{{"HmacSHA256", hmacSHA256}, {"HmacSHA1", hmacSHA1}}

// xCaFixed are the fields whose values are always signed, in their order.
var xCaFixed = []string{"accept", "content-md5", "content-type", "date"}

func newXCa(spec *v1alpha1.SignatureScheme) (*format, error) {
	p := &xCa{}
	if spec.External != nil {
		p.authority = spec.External.Authority
	}
	var cover []string
	for _, name := range spec.Cover {
		if name = strings.ToLower(name); !slices.Contains(xCaFixed, name) {
			cover = append(cover, name)
		}
	}
	p.listed = strings.Join(cover, ",")
	return &format{
		profile:    p,
		algorithms: xCaAlgorithms,
		required:   requireNames(cover, nil),
		nonce:      slices.Contains(cover, xCaNonce), // a nonce that is listed and empty is none
	}, nil
}

// parse reads the X-Ca fields. Time and nonce are read only where they are listed, and so signed.
func (p *xCa) parse(r *authz.Request, c *claim) error {
	_, keys := r.Header(xCaKey)
	_, signatures := r.Header(xCaSignature)
	switch {
	case keys == 0 && signatures == 0:
		return errNoXCa
	case keys == 0 || signatures == 0:
		return errXCaHalf
	case xCaBytes(r) > maxFieldBytes:
		return errXCaLarge
	}
	f := xCaFields{Request: r}
	key, sig, method, timestamp, nonce := f.value(xCaKey), f.value(xCaSignature), f.value(xCaMethod), f.value(xCaTimestamp), f.value(xCaNonce)
	if f.repeated {
		return errXCaRepeated
	}
	if err := parseListed(r, c); err != nil {
		return err
	}
	c.keyID, c.algorithm = key, xCaAlgorithm(method)
	if c.covers(xCaTimestamp) {
		ms, err := strconv.ParseUint(timestamp, 10, 63)
		if err != nil {
			return errXCaTimestamp
		}
		c.created = time.UnixMilli(int64(ms))
	}
	if c.covers(xCaNonce) {
		c.nonce = nonce
	}
	var ok bool
	c.signature, ok = appendBase64(c.signature, sig)
	switch {
	case key == "":
		return errXCaKey
	case c.algorithm == "":
		return errXCaMethod
	case !ok:
		return errXCaBase64
	default:
		return nil
	}
}

// xCaFields reads fields that may stand once, and notices those that do not.
type xCaFields struct {
	*authz.Request

	repeated bool
}

func (f *xCaFields) value(name string) string {
	value, n := f.Header(name)
	f.repeated = f.repeated || n > 1 || strings.IndexByte(value, ',') >= 0
	return trim(value)
}

func xCaBytes(r *authz.Request) (n int) {
	for i := range r.Headers {
		if strings.HasPrefix(r.Headers[i].Name, "x-ca-") {
			n += len(r.Headers[i].Value)
		}
	}
	return n
}

// xCaAlgorithm returns our name of the algorithm, "" if there is none.
func xCaAlgorithm(method string) string {
	if method == "" {
		return hmacSHA256.name
	}
	for _, m := range xCaMethods {
		if m.name == method {
			return m.algorithm.name
		}
	}
	return ""
}

// parseListed reads X-Ca-Signature-Headers into c.covered, in the order in which the fields are signed. Order and
// signed names go by the list's own spelling, which stands in c.params: Envoy has put the fields' names in lower case.
func parseListed(r *authz.Request, c *claim) error {
	list, n := r.Header(xCaListed)
	if n > 1 {
		return errXCaRepeated
	}
	entries := 0
	for spelled := range strings.SplitSeq(list, ",") {
		if entries++; entries > maxComponents {
			return errComponents
		}
		spelled = trim(spelled)
		name := fieldName(r, spelled)
		switch {
		case spelled == "", name == xCaSignature, name == xCaListed, slices.Contains(xCaFixed, name):
			continue
		case !authz.IsToken(spelled):
			return errXCaListed
		case c.covers(name):
			return errXCaTwice
		}
		from := len(c.params)
		c.params = append(c.params, spelled...)
		c.covered = append(c.covered, component{name: name, from: from, to: len(c.params)})
	}
	slices.SortFunc(c.covered, func(a, b component) int {
		return bytes.Compare(c.params[a.from:a.to], c.params[b.from:b.to])
	})
	return nil
}

// fieldName returns the name in lower case, without memory of its own if the request has such a field.
func fieldName(r *authz.Request, spelled string) string {
	for i := range r.Headers {
		if name := r.Headers[i].Name; len(name) == len(spelled) && strings.EqualFold(name, spelled) {
			return name
		}
	}
	return strings.ToLower(spelled)
}

// base appends what the vendor calls StringToSign. After an error nothing of it is shown.
func (p *xCa) base(r *authz.Request, c *claim, _ int, buf []byte) ([]byte, bool, error) {
	base, err := p.appendBase(buf, r, c)
	if err != nil {
		return base[:0], false, err
	}
	return base, false, nil
}

func (p *xCa) appendBase(buf []byte, r *authz.Request, c *claim) ([]byte, error) {
	buf = append(append(buf, r.Method...), '\n')
	var err error
	for _, name := range xCaFixed {
		if buf, err = p.appendValue(buf, r, name); err != nil {
			return buf, err
		}
	}
	for i := range c.covered {
		k := &c.covered[i]
		buf = append(append(buf, c.params[k.from:k.to]...), ':')
		if buf, err = p.appendValue(buf, r, k.name); err != nil {
			return buf, err
		}
	}
	if buf, err = appendPath(buf, r); err != nil {
		return buf, err
	}
	return appendParameters(buf, r)
}

// appendValue appends the value of a field, nothing if it is absent, and ends the line.
func (p *xCa) appendValue(buf []byte, r *authz.Request, name string) ([]byte, error) {
	value, n := r.Header(name)
	if n == 0 && name == "host" { // Envoy keeps Host apart from the other fields
		if value = p.authority; value == "" {
			value = r.Host
		}
	}
	if n > 1 {
		for i := range r.Headers {
			if h := &r.Headers[i]; h.Name == name && h.Value != value {
				return buf, authz.Fail(authz.ReasonNotCovered, fmt.Errorf("%s: %w", name, errXCaValues))
			}
		}
	}
	start := len(buf)
	buf = append(buf, trim(value)...)
	if !isText(buf[start:]) {
		return buf, fmt.Errorf("%s: %w", name, errBytes)
	}
	return append(buf, '\n'), nil
}

func (p *xCa) bindsBody(r *authz.Request, _ *claim) bool { return isForm(r) || claimedMD5(r) != "" }

// checkBody compares the body with Content-MD5. A form is in the base, parameter by parameter.
func (p *xCa) checkBody(r *authz.Request, body []byte) error {
	claimed := claimedMD5(r)
	if claimed != "" && subtle.ConstantTimeCompare([]byte(claimed), []byte(contentMD5(body))) != 1 {
		return errXCaContentMD5
	}
	return nil
}

func claimedMD5(r *authz.Request) string {
	value, _ := r.Header("content-md5")
	return trim(value)
}

func contentMD5(body []byte) string {
	sum := md5.Sum(body) //nolint:gosec // the format knows no other digest
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (p *xCa) challenge(realm string) authz.Challenge {
	return authz.Challenge{Scheme: "X-Ca", Params: []authz.Field{{Name: "realm", Value: realm}, {Name: "headers", Value: p.listed}}}
}

// maxMessage is how long X-Ca-Error-Message may become, in bytes: as long as any field that is sent.
const maxMessage = 4 << 10

// explain writes the fields in which the vendor's gateway explains a wrong signature, and its SDKs look for it.
func (p *xCa) explain(base []byte) []authz.Header {
	text := []byte("Invalid Signature, Server StringToSign:`")
	for _, c := range string(base) {
		switch {
		case c == '\n':
			c = '#'
		case c < ' ', 0x7f <= c && c < 0xa0, c == utf8.RuneError:
			continue
		}
		if len(text)+utf8.RuneLen(c)+len("`") > maxMessage {
			break
		}
		text = utf8.AppendRune(text, c)
	}
	return []authz.Header{
		{Name: "x-ca-error-code", Value: "A403IS"},
		{Name: "x-ca-error-message", Value: string(append(text, '`'))},
	}
}
