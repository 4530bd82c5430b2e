package policy

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// pathKind is the form of a path pattern, the most specific first.
type pathKind uint8

const (
	pathExact pathKind = iota
	pathTemplate
	pathPrefix
	pathRegex
	pathAny
)

// pathPattern is what a path must look like.
type pathPattern struct {
	kind     pathKind
	text     string // of exact and prefix: canonical; of the others as written
	template *template
	regex    *regexp.Regexp
	literal  string // what every match of regex begins with
}

var errNoPath = errors.New("the path names none of exact, prefix, template and regex")

// compilePath compiles a path match; nil matches every path. With an error comes the field that is
// wrong.
func compilePath(m *v1alpha1.PathMatch) (p pathPattern, field string, err error) {
	switch {
	case m == nil:
		return pathPattern{kind: pathAny}, "", nil
	case m.Exact != "":
		p.kind = pathExact
		p.text, err = canonicalPath(m.Exact)
		return p, "path.exact", err
	case m.Prefix != "":
		p.kind = pathPrefix
		p.text, err = canonicalPath(m.Prefix)
		return p, "path.prefix", err
	case m.Template != "":
		p.kind = pathTemplate
		if p.text, err = canonicalPath(m.Template); err == nil {
			p.template, err = parseTemplate(p.text)
		}
		return p, "path.template", err
	case m.Regex != "":
		p.kind, p.text = pathRegex, m.Regex
		p.regex, p.literal, err = compileRegex(m.Regex)
		return p, "path.regex", err
	default:
		return p, "path", errNoPath
	}
}

func canonicalPath(text string) (string, error) {
	path, err := authz.CanonicalPath(text)
	if err != nil {
		return "", fmt.Errorf("no request can have this path: %w", err)
	}
	return path, nil
}

// compileRegex compiles an expression that must match a whole path, and finds the literal that it begins with.
func compileRegex(text string) (whole *regexp.Regexp, literal string, err error) {
	open, err := regexp.Compile(text)
	if err != nil {
		return nil, "", err
	}
	whole, err = regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return nil, "", err
	}
	literal, _ = open.LiteralPrefix()
	return whole, literal, nil
}

// loose returns the pattern as the loose reading spells it, and whether that differs. Only an encoded byte makes it
// differ: a pattern with ";params" means them.
func (p pathPattern) loose() (pathPattern, bool) {
	if p.kind == pathRegex || p.kind == pathAny || !strings.Contains(p.text, "%") {
		return p, false
	}
	p.text = decode(p.text)
	if p.kind == pathTemplate {
		t := *p.template
		t.segments = append([]segment(nil), t.segments...)
		for i := range t.segments {
			t.segments[i].literal = decode(t.segments[i].literal)
		}
		p.template = &t
	}
	return p, true
}

// decode decodes all of a canonical path, or a part of one.
func decode(text string) string {
	if decoded, err := url.PathUnescape(text); err == nil {
		return decoded
	}
	return text
}

// matches reports whether the path fits. The router finds the best pattern without asking each; this answers for one.
func (p *pathPattern) matches(path string) bool {
	switch p.kind {
	case pathExact:
		return path == p.text
	case pathTemplate:
		return p.template.match(path, nil)
	case pathPrefix:
		rest, ok := strings.CutPrefix(path, p.text)
		return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(p.text, "/"))
	case pathRegex:
		return strings.HasPrefix(path, p.literal) && p.regex.MatchString(path)
	default:
		return true
	}
}

// params returns what the pattern captures from the path.
func (p *pathPattern) params(path string) []authz.Field {
	if p.kind != pathTemplate {
		return nil
	}
	return p.template.params(path)
}

// compare orders patterns that match the same path, the most specific first.
func (p *pathPattern) compare(q *pathPattern) int {
	if c := cmp.Compare(p.kind, q.kind); c != 0 {
		return c
	}
	switch p.kind {
	case pathTemplate:
		return cmp.Or(
			cmp.Compare(q.template.literals, p.template.literals),
			first(p.template.rest == "", q.template.rest == ""),
			cmp.Compare(len(q.template.segments), len(p.template.segments)),
		)
	case pathPrefix:
		return cmp.Compare(len(q.text), len(p.text))
	default:
		return 0
	}
}

// first orders what holds before what does not.
func first(p, q bool) int {
	switch {
	case p == q:
		return 0
	case p:
		return -1
	default:
		return 1
	}
}

// String shows the pattern in a trace: "template /orders/{id}".
func (p *pathPattern) String() string {
	if p.kind == pathAny {
		return "any path"
	}
	return [...]string{pathExact: "exact", pathTemplate: "template", pathPrefix: "prefix", pathRegex: "regex"}[p.kind] + " " + p.text
}

// key is equal for patterns that match the same paths.
func (p *pathPattern) key() string {
	if p.kind == pathTemplate {
		return "template " + p.template.shape()
	}
	return p.String()
}
