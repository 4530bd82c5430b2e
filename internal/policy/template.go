package policy

import (
	"errors"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// template is a path with {name} for one segment that is not empty and, at its end, {name=**} for the rest of the
// path after the slash, which may be empty. A literal takes a whole segment.
type template struct {
	segments []segment
	rest     string // name of what takes the rest; empty: nothing does
	literals int
}

// segment is a literal, or a parameter if param is set.
type segment struct{ literal, param string }

var (
	errTemplateBrace = errors.New("a parameter takes a whole segment: {name}, or {name=**} at the end")
	errTemplateName  = errors.New("a parameter's name has letters, digits and '_' and does not begin with a digit")
	errTemplateRest  = errors.New("{name=**} must be the last segment")
	errTemplateTwice = errors.New("two parameters have the same name")
)

// parseTemplate reads a template whose literals are in canonical form.
func parseTemplate(text string) (*template, error) {
	t := &template{}
	names := make(map[string]bool)
	for part := range strings.SplitSeq(strings.TrimPrefix(text, "/"), "/") {
		if t.rest != "" {
			return nil, errTemplateRest
		}
		if !strings.ContainsAny(part, "{}") {
			t.segments = append(t.segments, segment{literal: part})
			t.literals++
			continue
		}
		if len(part) < 2 || part[0] != '{' || part[len(part)-1] != '}' {
			return nil, errTemplateBrace
		}
		name, rest := strings.CutSuffix(part[1:len(part)-1], "=**")
		switch {
		case !isName(name):
			return nil, errTemplateName
		case names[name]:
			return nil, errTemplateTwice
		case rest:
			t.rest = name
		default:
			t.segments = append(t.segments, segment{param: name})
		}
		names[name] = true
	}
	return t, nil
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// match reports whether the template matches the path and calls take, if not nil, with what each parameter captured.
func (t *template) match(path string, take func(name, value string)) bool {
	for _, want := range t.segments {
		if path == "" {
			return false
		}
		var got string
		got, path = cutSegment(path)
		if want.param == "" && got != want.literal || want.param != "" && got == "" {
			return false
		}
		if want.param != "" && take != nil {
			take(want.param, got)
		}
	}
	if t.rest == "" {
		return path == ""
	}
	if path == "" {
		return false
	}
	if take != nil {
		take(t.rest, path[1:])
	}
	return true
}

// cutSegment splits a path that begins with a slash after its first segment.
func cutSegment(path string) (first, rest string) {
	if i := strings.IndexByte(path[1:], '/'); i >= 0 {
		return path[1 : i+1], path[i+1:]
	}
	return path[1:], ""
}

// params returns what the template captures from the path, percent-decoded: that is what the upstream will see.
func (t *template) params(path string) []authz.Field {
	var fields []authz.Field
	t.match(path, func(name, value string) {
		fields = append(fields, authz.Field{Name: name, Value: decode(value)})
	})
	return fields
}

// shape is the template without its parameters' names: two templates of one shape match the same paths.
func (t *template) shape() string {
	var b strings.Builder
	for _, s := range t.segments {
		b.WriteByte('/')
		if s.param != "" {
			b.WriteString("{}")
		} else {
			b.WriteString(s.literal)
		}
	}
	if t.rest != "" {
		b.WriteString("/{**}")
	}
	return b.String()
}
