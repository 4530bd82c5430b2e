package signature

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

var (
	errNoListing     = fmt.Errorf("%w: no signature that lists what it covers", authz.ErrNoCredential)
	errTwoListings   = fail(authz.ReasonAmbiguousCredential, "the signature's field occurs more than once, or two fields hold one")
	errListingSyntax = malformed(`the signature's parameters are not name="value", separated by commas`)
	errListingTwice  = fail(authz.ReasonAmbiguousCredential, "a parameter of the signature occurs twice")
	errListingGone   = malformed("a parameter of the signature that must be there is missing")
	errBase64        = malformed("the signature is not base64 with padding")
	errList          = malformed("headers is not a list of names, each once, with one space between")
	errDate          = malformed("the signed date is not one HTTP date")
	errMethod        = errors.New("the method is not in capitals")
	errLinesSeveral  = errors.New("it occurs more than once, and only the first would be signed")
)

// listing is a credential that names, in its parameter headers, what was signed. The draft of Cavage and Sporny set the
// form; Kong and APISIX took it over and sign other text. This file is what the three have in common: the parameters, the
// list, the time in a field, the request's target, and a field's value.
//
// The list itself is not signed, so no two lists may give one text. Every line but the target's begins with a name and a
// colon; the target's, where it has no name, begins with a method, which holds none; and no value holds a line break.
type listing struct {
	keyID, algorithm, headers, signature authParam // strings
	created, expires                     authParam // numbers; only the draft has them
}

type authParam struct {
	text  string
	given bool
}

// findListing returns the parameters that stand in the field after the word of the authentication scheme: none if no line
// of it begins with that word.
func findListing(r *authz.Request, field, word string) (text string, found bool, err error) {
	lines := 0
	for i := range r.Headers {
		if r.Headers[i].Name != field {
			continue
		}
		lines++
		v := trim(r.Headers[i].Value)
		if len(v) >= len(word) && strings.EqualFold(v[:len(word)], word) && (len(v) == len(word) || v[len(word)] == ' ') {
			text, found = v[len(word):], true
		}
	}
	switch {
	case found && lines > 1:
		return "", true, errTwoListings
	case len(text) > maxFieldBytes:
		return "", true, errFieldsLarge
	default:
		return text, found, nil
	}
}

// read reads the parameters, of which keyID names the key. Those it does not know mean nothing (section 2.2 of the
// draft). Strings hold printable ASCII without quotes and backslashes, as in the grammars of the draft and of Kong.
func (l *listing) read(text, keyID string) error {
	for more := true; more; {
		name, rest, ok := strings.Cut(text, "=")
		name = trim(name)
		if !ok || name == "" || strings.ContainsAny(name, " \t,\"") {
			return errListingSyntax
		}
		value := strings.TrimLeft(rest, " \t")
		quoted := strings.HasPrefix(value, `"`)
		if quoted {
			value, rest, ok = strings.Cut(value[1:], `"`)
		} else {
			end := strings.IndexAny(value, ", \t")
			if end < 0 {
				end = len(value)
			}
			value, rest = value[:end], value[end:]
		}
		if !ok || !isPlain(value) {
			return errListingSyntax
		}
		if err := l.set(name, keyID, value, quoted); err != nil {
			return err
		}
		rest = strings.TrimLeft(rest, " \t")
		if text, more = strings.CutPrefix(rest, ","); !more && rest != "" {
			return errListingSyntax
		}
	}
	return nil
}

// readAll reads the parameters where each of the four strings must be there.
func (l *listing) readAll(text, keyID string) error {
	if err := l.read(text, keyID); err != nil {
		return err
	}
	if !l.keyID.given || !l.algorithm.given || !l.headers.given || !l.signature.given {
		return errListingGone
	}
	return nil
}

func (l *listing) set(name, keyID, text string, quoted bool) error {
	var p *authParam
	number := false
	switch name {
	case keyID:
		p = &l.keyID
	case "algorithm":
		p = &l.algorithm
	case "headers":
		p = &l.headers
	case "signature":
		p = &l.signature
	case "created":
		p, number = &l.created, true
	case "expires":
		p, number = &l.expires, true
	default:
		return nil
	}
	switch {
	case p.given:
		return errListingTwice
	case !quoted && !number: // numbers should not be, and some clients quote them
		return errListingSyntax
	}
	*p = authParam{text, true}
	return nil
}

// isPlain reports whether s may stand between quotes.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// list records the covered names, and how each is spelled. derived are those that are no fields; they have one spelling.
func (c *claim) list(names string, derived []string) error {
	for more := true; more; {
		var name string
		name, names, more = strings.Cut(names, " ")
		lower := strings.ToLower(name)
		valid := isFieldName(lower)
		if slices.Contains(derived, lower) {
			valid = name == lower
		}
		switch {
		case len(c.covered) == maxComponents:
			return errComponents
		case !valid || c.covers(lower):
			return errList
		}
		c.cover(lower)
		c.write(&c.covered[len(c.covered)-1], name)
	}
	return nil
}

// write stores what the claim says for the component.
func (c *claim) write(k *component, text string) {
	k.from = len(c.params)
	c.params = append(c.params, text...)
	k.to = len(c.params)
}

// written returns what was stored for the component.
func (c *claim) written(k *component) []byte { return c.params[k.from:k.to] }

// decode reads the signature itself.
func (c *claim) decode(text string) error {
	var ok bool
	if c.signature, ok = appendBase64(c.signature, text); !ok {
		return errBase64
	}
	return nil
}

// hasField reports whether the request has the field. Every request has a host, which Envoy keeps apart.
func hasField(r *authz.Request, name string) bool {
	_, n := r.Header(name)
	return n > 0 || name == "host"
}

// fieldTime returns the HTTP date in a field (RFC 9110 section 5.6.7), zero if the field is not there.
func fieldTime(r *authz.Request, name string) (time.Time, error) {
	text, n := r.Header(name)
	if n == 0 {
		return time.Time{}, nil
	}
	at, err := http.ParseTime(trim(text))
	if n > 1 || err != nil {
		return time.Time{}, errDate
	}
	return at, nil
}

// appendRequestTarget appends the method, a space, and path and query. In lower case two methods would be one, so the
// method must have been in capitals.
func appendRequestTarget(buf []byte, r *authz.Request, lower bool) ([]byte, error) {
	for i := range len(r.Method) {
		c := r.Method[i]
		switch {
		case (c < 'A' || c > 'Z') && c != '-':
			return buf, errMethod
		case lower && c != '-':
			c += 'a' - 'A'
		}
		buf = append(buf, c)
	}
	buf = append(buf, ' ')
	start := len(buf)
	buf, err := appendTarget(buf, r)
	if err == nil && !isText(buf[start:]) {
		err = errBytes
	}
	return buf, err
}

// appendText appends the value of a field that is there, and checks that it is text.
func (o origin) appendText(buf []byte, r *authz.Request, k *component, respace bool) (_ []byte, joined bool, err error) {
	start := len(buf)
	buf, joined, err = o.appendField(buf, r, k, respace)
	if err == nil && !isText(buf[start:]) {
		err = errBytes
	}
	return buf, joined, err
}

// appendSingle appends the value of a field that occurs once. Of several lines Kong and APISIX sign the first, and the
// upstream might read another.
func (o origin) appendSingle(buf []byte, r *authz.Request, k *component) ([]byte, error) {
	if _, n := r.Header(k.name); n > 1 {
		return buf, errLinesSeveral
	}
	buf, _, err := o.appendText(buf, r, k, false)
	return buf, err
}
