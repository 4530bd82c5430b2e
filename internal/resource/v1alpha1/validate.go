package v1alpha1

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// The kinds of this package.
const (
	KindAuthScheme = "AuthScheme"
	KindAuthPolicy = "AuthPolicy"
	KindApp        = "App"
)

// checker collects what is wrong with one object. The errors bear no line: whoever knows the document adds it.
type checker struct {
	kind string
	meta *metav1.ObjectMeta
	errs Errors
}

func (c *checker) errorf(at path, remedy, format string, args ...any) {
	if len(c.errs) >= maxErrors {
		return
	}
	c.errs = append(c.errs, &Error{
		Object: objectName(c.kind, c.meta.Namespace, c.meta.Name), Field: string(at),
		Message: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

// objectName names an object in messages.
func objectName(kind, namespace, name string) string {
	switch {
	case kind == "":
		return ""
	case name == "":
		return kind + " (unnamed)"
	case !isDNSName(name) || !IsDNSLabel(namespace):
		return kind + " " + quote(namespace+"/"+name)
	default:
		return kind + " " + namespace + "/" + name
	}
}

const (
	labelRemedy = "use lower-case letters, digits and '-', 63 at most"
	nameRemedy  = "use lower-case letters, digits, '-' and '.', 253 at most"
)

// typeMeta checks what a document says it is. Objects from the Kubernetes API may say nothing.
func (c *checker) typeMeta(t metav1.TypeMeta) {
	switch {
	case t.APIVersion == APIVersion || t == (metav1.TypeMeta{}):
	case t.APIVersion == "":
		c.errorf("apiVersion", "add apiVersion: "+APIVersion, "is missing")
	default:
		c.errorf("apiVersion", "write "+APIVersion, "%s is not a version of this kind", quote(t.APIVersion))
	}
}

func (c *checker) metadata() {
	const at = path("metadata")
	switch {
	case c.meta.Name == "":
		c.errorf(at.dot("name"), "give the object a name", "is missing")
	case !isDNSName(c.meta.Name):
		c.errorf(at.dot("name"), nameRemedy, "%s is not a name", quote(c.meta.Name))
	}
	if !IsDNSLabel(c.meta.Namespace) {
		c.errorf(at.dot("namespace"), labelRemedy, "%s is not a namespace", quote(c.meta.Namespace))
	}
	c.labels(at.dot("labels"), c.meta.Labels)
}

// labels checks names and values by Kubernetes' rules.
func (c *checker) labels(at path, labels map[string]string) {
	for name, value := range sorted(labels) {
		if problems := validation.IsQualifiedName(name); len(problems) > 0 {
			c.errorf(at.dot(name), "use a Kubernetes label's name, such as tier or example.com/tier", "the name is not a label's")
		}
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
			c.errorf(at.dot(name), "use letters, digits, '-', '_' and '.', 63 at most", "%s is not a label's value", quote(value))
		}
	}
}

// choice is one of several fields of which exactly one must be set.
type choice struct {
	name string
	set  bool
}

type choices []choice

// set returns the names of those that are set.
func (all choices) set() []string {
	var set []string
	for _, o := range all {
		if o.set {
			set = append(set, o.name)
		}
	}
	return set
}

// oneOf checks that exactly one of the fields is set.
func (c *checker) oneOf(at path, all ...choice) {
	names, set := make([]string, len(all)), choices(all).set()
	for i, o := range all {
		names[i] = o.name
	}
	remedy := "set exactly one of " + strings.Join(names, ", ")
	switch {
	case len(set) == 0 && len(names) == 1:
		c.errorf(at.dot(names[0]), "add it", "is missing")
	case len(set) == 0:
		c.errorf(at, remedy, "none of them is set")
	case len(set) > 1:
		c.errorf(at, remedy, "%s are both set", strings.Join(set[:2], " and "))
	}
}

// oneWord checks that value is one of the words.
func oneWord[T ~string](c *checker, at path, value T, words ...T) {
	if !slices.Contains(words, value) {
		c.errorf(at, "use one of "+joined(words), "%s is not known", quote(string(value)))
	}
}

func joined[T ~string](words []T) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return strings.Join(list, ", ")
}

// duration checks that a time lies within bounds. Nil is for whoever has set no default.
func (c *checker) duration(at path, d *metav1.Duration, least, most time.Duration) {
	if d != nil && (d.Duration < least || d.Duration > most) {
		c.errorf(at, fmt.Sprintf("use %v to %v", least, most), "%v is out of bounds", d.Duration)
	}
}

// length checks that text is there and not longer than most bytes.
func (c *checker) length(at path, text string, most int) {
	if text == "" {
		c.errorf(at, "give it a value, or leave out what it belongs to", "is empty")
	}
	c.atMost(at, text, most)
}

// atMost checks that text is not longer than most bytes.
func (c *checker) atMost(at path, text string, most int) {
	if len(text) > most {
		c.errorf(at, fmt.Sprintf("shorten it to %d", most), "is %d bytes long", len(text))
	}
}

// count checks that a list has no more than most items.
func (c *checker) count(at path, n, most int) {
	if n > most {
		c.errorf(at, fmt.Sprintf("keep to %d", most), "has %d items", n)
	}
}

// names remembers what a list has named already.
type names map[string]path

// unique complains about a key that was there before; what names it for the reader.
func (c *checker) unique(seen names, at path, key, what string) {
	if first, ok := seen[key]; ok {
		c.errorf(at, "keep one of them", "%s is at %s already", what, first)
		return
	}
	seen[key] = at
}

func (c *checker) scopes(at path, scopes []string) {
	c.count(at, len(scopes), 256)
	for i, s := range scopes {
		if !IsScope(s) {
			c.errorf(at.index(i), `use visible ASCII without spaces, '"' and '\' (RFC 6749 section 3.3)`, "%s is not a scope", quote(s))
		}
	}
}

// headerName checks the name of a header field.
func (c *checker) headerName(at path, name string) bool {
	switch {
	case strings.HasPrefix(name, ":"):
		c.errorf(at, "name a header field", "%s is a pseudo-header", quote(name))
	case !isToken(name):
		c.errorf(at, "use letters, digits and '-'", "%s is not a header's name", quote(name))
	default:
		return true
	}
	return false
}

// sorted iterates over a map in the order of its keys, so that errors come in the same order every time.
func sorted[V any](m map[string]V) func(yield func(string, V) bool) {
	return func(yield func(string, V) bool) {
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
