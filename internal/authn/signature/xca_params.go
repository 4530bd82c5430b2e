package signature

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// maxParameters is how many parameters of query and form are sorted before anything is known of who sent them.
const maxParameters = 1000

var (
	errParameters      = errors.New("query and form have more than 1000 parameters")
	errParameterEscape = errors.New("the percent-encoding of a parameter is broken")
	errParameterTwice  = fail(authz.ReasonNotCovered, "a parameter occurs more than once, of which only one value is signed")
	errParameterSplits = fail(authz.ReasonNotCovered, "a parameter holds an encoded '&', or its name an encoded '=': what is signed does not tell it from two")
)

// parameter is where a decoded parameter stands: its name, and "=" and its value up to end unless that is empty.
type parameter struct{ name, value, end int }

// appendParameters appends the parameters of query and form, decoded and sorted by name: "?a=1&b&c=2", and nothing if
// there are none.
//
// Sources disagree on which value is signed of a parameter that stands in both, so like any repeated one it is refused:
// whoever intercepts the request could add the other.
func appendParameters(buf []byte, r *authz.Request) ([]byte, error) {
	var room [16]parameter
	start := len(buf)
	buf, list, err := readParameters(buf, room[:0], r.Query)
	if err == nil && isForm(r) {
		var body []byte
		if body, err = wholeBody(r); err == nil {
			buf, list, err = readParameters(buf, list, body)
		}
	}
	if err != nil {
		return buf, err
	}
	name := func(k parameter) []byte { return buf[k.name:k.value] }
	slices.SortFunc(list, func(a, b parameter) int { return bytes.Compare(name(a), name(b)) })

	// They are written in order behind themselves, and then moved to where they belong.
	read, separator := len(buf), byte('?')
	for i, k := range list {
		if i > 0 && bytes.Equal(name(list[i-1]), name(k)) {
			return buf, errParameterTwice
		}
		buf = append(buf, separator)
		buf = append(buf, buf[k.name:k.end]...)
		separator = '&'
	}
	return slices.Delete(buf, start, read), nil
}

// readParameters appends the decoded parameters of a query or form to buf, and where they stand there to list.
func readParameters[T string | []byte](buf []byte, list []parameter, text T) ([]byte, []parameter, error) {
	for at := 0; at < len(text); at++ {
		if text[at] == '&' {
			continue
		}
		if len(list) == maxParameters {
			return buf, list, errParameters
		}
		k := parameter{name: len(buf), value: -1}
		for ; at < len(text) && text[at] != '&'; at++ {
			c := text[at]
			switch c {
			case '=':
				if k.value < 0 {
					k.value = len(buf)
				}
			case '+':
				c = ' '
			case '%':
				var ok bool
				if c, ok = escapedByte(text, at); !ok {
					return buf, list, errParameterEscape
				}
				if c == '&' || c == '=' && k.value < 0 {
					return buf, list, errParameterSplits
				}
				at += 2
			}
			buf = append(buf, c)
		}
		switch k.end = len(buf); k.value {
		case -1:
			k.value = k.end
		case k.end - 1:
			k.end = k.value // nothing but "="
		}
		list = append(list, k)
	}
	return buf, list, nil
}

// isForm reports whether the body is a form, as the format's servers do: by the beginning of Content-Type.
func isForm(r *authz.Request) bool {
	const form = "application/x-www-form-urlencoded"
	value, _ := r.Header("content-type")
	value = strings.TrimLeft(value, " \t")
	return len(value) >= len(form) && strings.EqualFold(value[:len(form)], form)
}
