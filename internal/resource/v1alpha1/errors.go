package v1alpha1

import (
	"strconv"
	"strings"
)

// Error says what is wrong with a resource, where, and how to put it right. It never quotes a field that may hold a
// secret.
//
// +kubebuilder:object:generate=false
type Error struct {
	File    string // as given to Decode; empty for an object that came from the Kubernetes API
	Line    int    // 1 is the first; 0: not known
	Object  string // "AuthPolicy shop/orders"; empty where not even the kind could be read
	Field   string // "spec.rules[1].match[0].path.regex"; empty for the object as a whole
	Message string
	Remedy  string
	Reason  Reason // empty: the object is Invalid
}

// Error prints file:line: object: field: message; remedy. Parts that are not known are left out.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			b.WriteByte(':')
			b.WriteString(strconv.Itoa(e.Line))
		}
		b.WriteString(": ")
	}
	for _, part := range []string{e.Object, e.Field} {
		if part != "" {
			b.WriteString(part)
			b.WriteString(": ")
		}
	}
	b.WriteString(e.Message)
	if e.Remedy != "" {
		b.WriteString("; ")
		b.WriteString(e.Remedy)
	}
	return b.String()
}

// Errors is everything that is wrong with one object.
//
// +kubebuilder:object:generate=false
type Errors []*Error

// Error prints one error a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors, so that errors.As finds the first *Error.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i := range e {
		list[i] = e[i]
	}
	return list
}

// err returns the errors as one, nil if there are none.
func (e Errors) err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// quote shows a value of the user's in a message: on one line, and not all of it when it is long.
func quote(s string) string {
	const longest = 80
	if len(s) > longest {
		s = s[:longest] + "…"
	}
	return strconv.Quote(s)
}
