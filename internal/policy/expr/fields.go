package expr

import (
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/postern-auth/postern/internal/authz"
)

// field is one field of an object that expressions see. text is how it stands in a header, where that needs no look
// at a type; value is what CEL takes, the text where it is nil.
type field[T any] struct {
	typ   *cel.Type
	text  func(T) string
	value func(T) any
}

// get returns the field's value as CEL takes it.
func (f field[T]) get(t T) any {
	if f.value == nil {
		return f.text(t)
	}
	return f.value(t)
}

var (
	stringMap = cel.MapType(cel.StringType, cel.StringType)
	dynMap    = cel.MapType(cel.StringType, cel.DynType)
)

var requestFields = map[string]field[*Input]{
	"method":  {typ: cel.StringType, text: func(in *Input) string { return in.Request.Method }},
	"host":    {typ: cel.StringType, text: func(in *Input) string { return in.Request.Route.Host }},
	"path":    {typ: cel.StringType, text: func(in *Input) string { return in.Request.Route.Path }},
	"query":   {typ: cel.StringType, text: func(in *Input) string { return in.Request.Query }},
	"source":  {typ: cel.StringType, text: func(in *Input) string { return in.Request.Source.Address }},
	"headers": {typ: stringMap, value: func(in *Input) any { return headerMap(in.Request.Headers) }},
	"params":  {typ: stringMap, value: func(in *Input) any { return fieldMap(in.Params) }},
}

var principalFields = map[string]field[*Caller]{
	"scheme":  {typ: cel.StringType, text: func(c *Caller) string { return c.Scheme }},
	"subject": {typ: cel.StringType, text: func(c *Caller) string { return c.principal().Subject }},
	"app":     {typ: cel.StringType, text: func(c *Caller) string { return c.principal().App }},
	"keyId":   {typ: cel.StringType, text: func(c *Caller) string { return c.principal().KeyID }},
	"scopes": {
		typ:   cel.ListType(cel.StringType),
		text:  func(c *Caller) string { return c.principal().Scopes.String() },
		value: func(c *Caller) any { return c.principal().Scopes.List() },
	},
	"claims":     {typ: dynMap, value: func(c *Caller) any { return c.principal().Claims }},
	"attributes": {typ: stringMap, value: func(c *Caller) any { return c.principal().Attributes }},
}

// nobody is the principal of an anonymous caller.
var nobody authz.Principal

func (c *Caller) principal() *authz.Principal {
	if c.Principal == nil {
		return &nobody
	}
	return c.Principal
}

func headerMap(headers []authz.Header) map[string]string {
	m := make(map[string]string, len(headers))
	for _, h := range headers {
		if first, ok := m[h.Name]; ok {
			m[h.Name] = strings.Join([]string{first, h.Value}, ", ")
		} else {
			m[h.Name] = h.Value
		}
	}
	return m
}

func fieldMap(fields []authz.Field) map[string]string {
	m := make(map[string]string, len(fields))
	for _, f := range fields {
		m[f.Name] = f.Value
	}
	return m
}
