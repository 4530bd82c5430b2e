package signature

import (
	"errors"
	"fmt"
	"strings"
)

// component names one part of a request that a signature covers (RFC 9421 section 2).
type component struct {
	name     string // "@path" or a field's name
	flags    flags
	arg      string // the value of ;key or ;name
	from, to int    // where its identifier stands in claim.params
}

// flags are the parameters that a component identifier carries.
type flags uint8

const (
	flagSF   flags = 1 << iota // the field, strictly serialised
	flagBS                     // the field, each line as a Byte Sequence
	flagKey                    // one member of a Dictionary field
	flagName                   // one query parameter
)

// same reports whether both name the same part in the same way; the order of parameters does not count.
func (k *component) same(o *component) bool {
	return k.name == o.name && k.flags == o.flags && k.arg == o.arg
}

var (
	errComponentType  = errors.New("a covered component is not a string")
	errComponentParam = errors.New("a covered component has a parameter that does not exist or not there")
	errTrailer        = errors.New("a trailer field is covered: trailers are not seen here")
	errResponse       = errors.New("a part of a response is covered: this is a request")
	errComponentName  = errors.New("a covered component's name is not a derived component or a field name in lower case")
)

// setParam records one parameter of the identifier.
func (k *component) setParam(name string, v item) error {
	switch {
	case name == "tr":
		return errTrailer
	case name == "req":
		return errResponse
	case name == "sf" && v.kind == kindTrue:
		k.flags |= flagSF
	case name == "bs" && v.kind == kindTrue:
		k.flags |= flagBS
	case name == "key" && v.kind == kindString:
		k.flags, k.arg = k.flags|flagKey, v.text
	case name == "name" && v.kind == kindString:
		k.flags, k.arg = k.flags|flagName, v.text
	default:
		return errComponentParam
	}
	return nil
}

// check reports what is wrong with the identifier.
func (k *component) check() error {
	switch k.name {
	case "@method", "@authority", "@scheme", "@target-uri", "@request-target", "@path", "@query":
		if k.flags != 0 {
			return errComponentParam
		}
	case "@query-param":
		if k.flags != flagName {
			return errComponentParam
		}
	case "@status":
		return errResponse
	default:
		if !isFieldName(k.name) {
			return errComponentName
		}
		if k.flags&flagName != 0 || k.flags&flagBS != 0 && k.flags != flagBS || k.flags&flagSF != 0 && k.flags != flagSF {
			return errComponentParam
		}
	}
	return nil
}

func isFieldName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if ('a' > c || c > 'z') && !isDigit(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// readComponent reads a component identifier into k. An error of the first kind means that the text is no structured
// field, one of the second that it names nothing which a request has.
func (s *scanner) readComponent(k *component) (syntax, meaning error) {
	*k = component{from: len(s.out)}
	v, err := s.bare()
	if err != nil {
		return err, nil
	}
	if v.kind != kindString {
		meaning = errComponentType
	}
	k.name = v.text
	err = s.params(func(name string, v item) error {
		if err := k.setParam(name, v); err != nil && meaning == nil {
			meaning = err
		}
		return nil
	})
	if err != nil {
		return err, nil
	}
	k.to = len(s.out)
	if meaning == nil {
		meaning = k.check()
	}
	return nil, meaning
}

// identifier puts the quotes around the name of a component in configuration: @query-param;name="id".
func identifier(text string) string {
	name, params, found := strings.Cut(text, ";")
	if found {
		params = ";" + params
	}
	return `"` + name + `"` + params
}

// parseComponent reads a component from configuration and returns it with its canonical identifier.
func parseComponent(text string) (component, string, error) {
	var (
		k component
		s scanner
	)
	s.line(identifier(text))
	syntax, err := s.readComponent(&k)
	if syntax != nil || !s.done() {
		err = errSyntax
	}
	if err != nil {
		return k, "", fmt.Errorf("%q: %w", text, err)
	}
	return k, string(s.out), nil
}
