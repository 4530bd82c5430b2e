package authz

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// Location is one place where a credential may stand. Exactly one of Header, Query and Cookie is set.
type Location struct {
	Header string // lower case
	Prefix string // what stands before the credential in the header, "Bearer " say; compared without regard to case
	Query  string
	Cookie string
}

// Locations is where one scheme looks for its credential, in order.
type Locations struct {
	list    []Location
	forward bool
}

// MaxLocations is how many places a scheme may name.
const MaxLocations = 16

// maxRepeats is how often the same credential may stand in one place. A query parameter's name has thousands of
// spellings, and each is looked up and taken out by itself.
const maxRepeats = 16

// NewLocations makes the list; forward leaves a found credential in the request for the upstream. It panics on more
// than MaxLocations places: a place that is silently not looked at would hide a credential.
func NewLocations(list []Location, forward bool) *Locations {
	if len(list) > MaxLocations {
		panic("authz: more than MaxLocations places for one scheme")
	}
	list = slices.Clone(list)
	for i := range list {
		list[i].Header = strings.ToLower(list[i].Header)
	}
	return &Locations{list: list, forward: forward}
}

var (
	errTwoCredentials  = Fail(ReasonAmbiguousCredential, errors.New("two different credentials for one scheme"))
	errJoined          = Fail(ReasonAmbiguousCredential, errors.New("several values joined by a comma"))
	errEmptyCredential = Fail(ReasonMalformedCredential, errors.New("the credential is empty"))
	errRepeated        = Fail(ReasonAmbiguousCredential, errors.New("the credential stands in one place more than 16 times"))
	errEncoding        = Fail(ReasonMalformedCredential, errors.New("the credential's percent-encoding is broken"))
)

// Find returns the one credential that the request presents in these places: ErrNoCredential if there is none, a
// Failure if it is empty or if there are two different ones.
//
// A comma means that a proxy joined a repeated field, so it is ambiguous too. Nothing is split to look for the good
// one: whoever reads the field after us might pick the other.
func (l *Locations) Find(r *Request) (Credential, error) {
	c := Credential{}
	for i := range l.list {
		at := &l.list[i]
		n := 0
		err := at.each(r, func(v string) error {
			n++
			switch {
			case strings.IndexByte(v, ',') >= 0:
				return errJoined
			case v == "":
				return errEmptyCredential
			case n > maxRepeats:
				return errRepeated
			case c.found != 0 && v != string(c.Value), n > 1 && v != string(c.Value):
				return errTwoCredentials
			}
			c.Value = Secret(v)
			return nil
		})
		if err != nil {
			return Credential{}, err
		}
		if n > 0 {
			c.found |= 1 << i
		}
	}
	if c.found == 0 {
		return Credential{}, ErrNoCredential
	}
	if !l.forward {
		c.in = l
	}
	return c, nil
}

// each calls f with every value at the location.
func (at *Location) each(r *Request, f func(string) error) error {
	switch {
	case at.Header != "":
		for i := range r.Headers {
			if r.Headers[i].Name != at.Header {
				continue
			}
			v, err := at.afterPrefix(r.Headers[i].Value)
			if err == nil {
				err = f(v)
			}
			if err != nil && !errors.Is(err, ErrNoCredential) {
				return err
			}
		}
		return nil
	case at.Query != "":
		return EachParam(r.Query, func(raw, value string) error {
			if !ParamNamed(raw, at.Query) {
				return nil
			}
			v, err := url.QueryUnescape(value)
			if err != nil {
				return errEncoding
			}
			return f(v)
		})
	default:
		return eachCookie(r, func(pair, name, value string) error {
			switch {
			case name == at.Cookie:
				return f(value)
			case joinsCookie(pair, at.Cookie):
				return errJoined
			}
			return nil
		})
	}
}

// afterPrefix returns the credential in a header's value: ErrNoCredential if the value is of another scheme.
func (at *Location) afterPrefix(v string) (string, error) {
	v = strings.Trim(v, " \t")
	if at.Prefix == "" {
		return v, nil
	}
	if rest, ok := cutPrefixFold(v, at.Prefix); ok {
		return rest, nil
	}
	// "Basic x, Bearer y" is two fields in one: neither may be picked.
	for {
		_, after, ok := strings.Cut(v, ",")
		if !ok {
			return "", ErrNoCredential
		}
		v = strings.TrimLeft(after, " \t")
		if _, ok := cutPrefixFold(v, at.Prefix); ok {
			return "", errJoined
		}
	}
}

// cutPrefixFold returns v without the prefix and the blanks after it. A prefix that ends in a space is a word: it
// matches before any blank and at the end of v, so that "Bearer" alone is an empty credential and not an absent one.
func cutPrefixFold(v, prefix string) (string, bool) {
	word := strings.TrimRight(prefix, " ")
	if len(v) < len(word) || !strings.EqualFold(v[:len(word)], word) {
		return "", false
	}
	after := v[len(word):]
	rest := strings.TrimLeft(after, " \t")
	isWord := len(word) < len(prefix)
	return rest, !isWord || after == "" || len(rest) < len(after)
}

// EachParam calls f with the name and value of each query parameter, both as sent.
func EachParam(query string, f func(raw, value string) error) error {
	for query != "" {
		var param string
		param, query, _ = strings.Cut(query, "&")
		raw, value, _ := strings.Cut(param, "=")
		if err := f(raw, value); err != nil {
			return err
		}
	}
	return nil
}

// ParamNamed reports whether the query parameter's name, as sent, is an encoding of want.
func ParamNamed(raw, want string) bool {
	if raw == want {
		return true
	}
	if len(raw) <= len(want) && strings.IndexByte(raw, '+') < 0 {
		return false // an encoded name is longer than what it encodes
	}
	name, err := url.QueryUnescape(raw)
	return err == nil && name == want
}

// eachCookie calls f with each cookie, its name and its value (RFC 6265 section 4.2.1), over all Cookie fields.
func eachCookie(r *Request, f func(pair, name, value string) error) error {
	for i := range r.Headers {
		if r.Headers[i].Name != "cookie" {
			continue
		}
		for rest := r.Headers[i].Value; rest != ""; {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			pair = strings.Trim(pair, " \t")
			name, value, _ := strings.Cut(pair, "=")
			if err := f(pair, strings.TrimRight(name, " \t"), strings.TrimLeft(value, " \t")); err != nil {
				return err
			}
		}
	}
	return nil
}

// joinsCookie reports whether the named cookie stands behind a comma in another one: Envoy joins repeated Cookie fields
// with a comma when it does not send raw headers, and some servers split there.
func joinsCookie(pair, name string) bool {
	for {
		_, after, ok := strings.Cut(pair, ",")
		if !ok {
			return false
		}
		pair = after
		if n, _, ok := strings.Cut(pair, "="); ok && strings.Trim(n, " \t") == name {
			return true
		}
	}
}
