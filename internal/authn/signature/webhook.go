package signature

import (
	"crypto/sha256"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// webhook is what the profiles for webhooks share. Their clients sign the body as it was sent, with a few words before
// it that parse leaves in the claim's params, and cannot sign method, host, path or query. Requests name no key: the
// keys of the scheme's app are tried.
type webhook struct{ header string } // header holds the signature

var (
	errFieldTwice    = fail(authz.ReasonAmbiguousCredential, "a header of the signature occurs more than once")
	errWebhookTime   = malformed("the signature's timestamp is not there, or is not seconds since 1970 in digits")
	errHexSignature  = malformed("a signature is not 64 lower-case hexadecimal digits")
	errFixedCoverage = errors.New("cover and expires: leave them out, what the profile signs is fixed")
	errNotDated      = errors.New("created: the profile signs a time; give one since 1970")
)

// webhookAlgorithms are those of providers whose secret is a text.
var webhookAlgorithms = []*algorithm{hmacSHA256}

func (webhook) base(r *authz.Request, c *claim, _ int, buf []byte) ([]byte, bool, error) {
	base, err := appendBody(append(buf, c.params...), r)
	return base, false, err
}

func appendBody(buf []byte, r *authz.Request) ([]byte, error) {
	body, err := wholeBody(r)
	return append(buf, body...), err
}

func (webhook) bindsBody(*authz.Request, *claim) bool { return true }

func (webhook) checkBody(*authz.Request, []byte) error { return nil }

func (p webhook) challenge(realm string) authz.Challenge {
	return authz.Challenge{
		Scheme: "Signature",
		Params: []authz.Field{{Name: "realm", Value: realm}, {Name: "header", Value: p.header}},
	}
}

// signBody signs the body of q with the words before it.
func (q *SignRequest) signBody(known []*algorithm, before []byte) (base, sig []byte, err error) {
	if len(q.Cover) > 0 || !q.Expires.IsZero() {
		return nil, nil, errFixedCoverage
	}
	r, err := q.request()
	if err != nil {
		return nil, nil, err
	}
	if base, err = appendBody(before, r); err != nil {
		return nil, nil, err
	}
	sig, err = signWith(known, q.Algorithm, q.Key, base)
	return base, sig, err
}

// timestamp is when q is signed, in seconds since 1970.
func (q *SignRequest) timestamp() (string, error) {
	t := q.Created.Unix()
	if t < 0 {
		return "", errNotDated
	}
	return strconv.FormatInt(t, 10), nil
}

// oneField returns the value of a field that may occur but once.
func oneField(r *authz.Request, name string) (value string, found bool, err error) {
	value, n := r.Header(name)
	switch {
	case n > 1:
		return "", true, errFieldTwice
	case len(value) > maxFieldBytes:
		return "", true, errFieldsLarge
	default:
		return trim(value), n > 0, nil
	}
}

// oneValue is oneField for a field without commas: where there is one, Envoy has joined several.
func oneValue(r *authz.Request, name string) (value string, found bool, err error) {
	value, found, err = oneField(r, name)
	if err == nil && strings.Contains(value, ",") {
		err = errFieldTwice
	}
	return value, found, err
}

// unixTime reads seconds since 1970, in digits alone.
func unixTime(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !isDigits(text) {
		return time.Time{}, errWebhookTime
	}
	return time.Unix(n, 0), nil
}

// present adds a signature, unless err, to those that the claim presents. It was decoded into room.
func (c *claim) present(sig []byte, err error) error {
	switch {
	case err != nil:
		return err
	case len(c.signature) == 0:
		c.signature = sig
	case len(c.others)+1 == maxSignatures:
		return errSignatures
	default:
		c.others = append(c.others, sig)
	}
	return nil
}

// room is memory for the next signature. The first, usually the only one, has that of the claim before.
func (c *claim) room() []byte {
	if len(c.signature) == 0 {
		return c.signature
	}
	return nil
}

// appendHexSum decodes a SHA-256 in the lower-case hexadecimal digits that all clients write.
func appendHexSum(dst []byte, text string) ([]byte, error) {
	if len(text) != 2*sha256.Size {
		return dst, errHexSignature
	}
	var wrong byte
	for i := 0; i < len(text); i += 2 {
		high, low := lowerHex[text[i]], lowerHex[text[i+1]]
		wrong |= high | low
		dst = append(dst, high<<4|low&0xf)
	}
	if wrong > 0xf {
		return dst, errHexSignature
	}
	return dst, nil
}

// lowerHex maps lower-case hexadecimal digits to what they stand for, and every other byte to more.
var lowerHex = func() (table [256]byte) {
	for i := range table {
		table[i] = 0xff
	}
	for value, digit := range []byte("0123456789abcdef") {
		table[digit] = byte(value)
	}
	return table
}()
