package signature

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

var (
	errPlainKeyID = errors.New("keyid must be printable ASCII without quotes and backslashes")
	errNoTime     = errors.New("nothing says when the request is signed: set created, or give and cover Date")
)

// lister is a profile whose credentials list what they sign.
type lister interface {
	claim(r *authz.Request, l *listing, c *claim) error
	base(r *authz.Request, c *claim, n int, buf []byte) (base []byte, more bool, err error)
}

// signCavage signs with draft-cavage-http-signatures-12, in Authorization. By default it covers (request-target), host,
// date and, with a body, digest. (created) and (expires) are signed with hs2019, which leaves the algorithm to the key.
func signCavage(q *SignRequest) (*Signed, error) {
	q.coverDefault()
	if !q.Expires.IsZero() && !slices.Contains(q.Cover, "(expires)") {
		q.Cover = append(slices.Clip(q.Cover), "(expires)")
	}
	l := listing{algorithm: authParam{q.Algorithm, q.Algorithm != ""}}
	if !q.Created.IsZero() && slices.Contains(q.Cover, "(created)") {
		l.created = authParam{strconv.FormatInt(q.Created.Unix(), 10), true}
	}
	if !q.Expires.IsZero() {
		l.expires = authParam{strconv.FormatInt(q.Expires.Unix(), 10), true}
	}
	if l.created.given || l.expires.given {
		l.algorithm = authParam{"hs2019", true}
	}
	return q.signListing(&cavage{}, cavageAlgorithms, &l, func(l *listing) string {
		text := `Signature keyId="` + l.keyID.text + `"`
		if l.algorithm.given {
			text += `,algorithm="` + l.algorithm.text + `"`
		}
		if l.created.given {
			text += ",created=" + l.created.text
		}
		if l.expires.given {
			text += ",expires=" + l.expires.text
		}
		return text + `,headers="` + l.headers.text + `",signature="` + l.signature.text + `"`
	})
}

// signKong signs as clients of Kong's hmac-auth do, in Authorization. By default it covers @request-target, date and, with
// a body, digest.
func signKong(q *SignRequest) (*Signed, error) {
	return q.signHMAC(&kong{}, kongAlgorithms, `hmac username="%s", algorithm="%s", headers="%s", signature="%s"`)
}

// signAPISIX signs as clients of APISIX's hmac-auth do. By default it covers @request-target, date and, with a body,
// digest.
func signAPISIX(q *SignRequest) (*Signed, error) {
	return q.signHMAC(&apisix{}, apisixAlgorithms, `Signature keyId="%s",algorithm="%s",headers="%s",signature="%s"`)
}

// signHMAC signs for a gateway that wants to be told the algorithm.
func (q *SignRequest) signHMAC(p lister, known []*algorithm, format string) (*Signed, error) {
	if q.Algorithm == "" {
		q.Algorithm = known[0].name
	}
	l := listing{algorithm: authParam{q.Algorithm, true}}
	return q.signListing(p, known, &l, func(l *listing) string {
		return fmt.Sprintf(format, l.keyID.text, l.algorithm.text, l.headers.text, l.signature.text)
	})
}

// signListing signs what q covers. write makes the value of Authorization.
func (q *SignRequest) signListing(p lister, known []*algorithm, l *listing, write func(*listing) string) (*Signed, error) {
	if !isPlain(q.KeyID) {
		return nil, errPlainKeyID
	}
	q.coverDefault()
	r, err := q.request()
	if err != nil {
		return nil, err
	}
	out := &Signed{Headers: q.missing(r)}
	for _, h := range out.Headers {
		r.Headers = append(r.Headers, authz.Header{Name: strings.ToLower(h.Name), Value: h.Value})
	}
	l.keyID = authParam{q.KeyID, true}
	l.headers = authParam{strings.Join(q.Cover, " "), true}
	var c claim
	if err := p.claim(r, l, &c); err != nil {
		return nil, fmt.Errorf("cover: %w", err)
	}
	switch {
	case c.created.IsZero():
		return nil, errNoTime
	case len(c.covered) < len(q.Cover):
		return nil, fmt.Errorf("cover: %w", errAbsent)
	}
	base, _, err := p.base(r, &c, 0, nil)
	if err != nil {
		return nil, err
	}
	sig, err := signWith(known, q.Algorithm, q.Key, base)
	if err != nil {
		return nil, err
	}
	l.signature = authParam{base64.StdEncoding.EncodeToString(sig), true}
	out.Base = string(base)
	out.Headers = append(out.Headers, authz.Header{Name: "Authorization", Value: write(l)})
	return out, nil
}

// coverDefault covers what schemes of the profile require by default, if q does not say what to cover.
func (q *SignRequest) coverDefault() {
	if len(q.Cover) > 0 {
		return
	}
	q.Cover = q.Profile.Cover()
	if len(q.Body) > 0 {
		q.Cover = append(q.Cover, "digest")
	}
}

// missing returns the dates and the digest that are covered and not there yet.
func (q *SignRequest) missing(r *authz.Request) []authz.Header {
	var add []authz.Header
	for _, name := range q.Cover {
		lower := strings.ToLower(name)
		if _, n := r.Header(lower); n > 0 {
			continue
		}
		switch {
		case lower == "digest":
			add = append(add, authz.Header{Name: "Digest", Value: "SHA-256=" + base64.StdEncoding.EncodeToString(sum256(q.Body))})
		case lower == "date" && !q.Created.IsZero():
			add = append(add, authz.Header{Name: "Date", Value: q.Created.UTC().Format(http.TimeFormat)})
		case lower == "x-date" && !q.Created.IsZero():
			add = append(add, authz.Header{Name: "X-Date", Value: q.Created.UTC().Format(http.TimeFormat)})
		}
	}
	return add
}
