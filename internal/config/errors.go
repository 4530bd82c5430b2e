package config

import "strings"

// Error is one thing that is wrong with the configuration.
type Error struct {
	At      string // "postern.yaml:3", a flag such as "--ops", or "" for a default
	Field   string // "ops.address"; empty for the file as a whole
	Message string // what is wrong
	Remedy  string // what to write instead
}

// Error returns "postern.yaml:3: ops.address: message; remedy".
func (e *Error) Error() string {
	text := e.Message + "; " + e.Remedy
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.At != "" {
		text = e.At + ": " + text
	}
	return text
}

// Places says where each field stands: "postern.yaml:3" or a flag, by the field's path.
type Places map[string]string

// Of returns where the field stands. Where it is not written, the nearest one around it that is tells where to look.
func (p Places) Of(field string) string {
	for f := field; f != ""; f = f[:max(0, strings.LastIndexAny(f, ".["))] {
		if at := p[f]; at != "" {
			return at
		}
	}
	return ""
}

// Errors is everything that is wrong, in the order of the file where it comes from one.
type Errors []*Error

// Error returns the errors, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors one by one.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i, err := range e {
		list[i] = err
	}
	return list
}

// orNil returns e as an error, nil if it is empty.
func (e Errors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
