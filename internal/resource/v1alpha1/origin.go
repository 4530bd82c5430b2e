package v1alpha1

import (
	"fmt"
	"strconv"

	yaml "go.yaml.in/yaml/v3"
)

// Origin is where a document stands. It keeps the document's text, so that the line of a field is looked up only when
// somebody asks. The zero Origin belongs to an object that came from elsewhere.
//
// +kubebuilder:object:generate=false
type Origin struct {
	File string // as given to Decode
	Line int    // of the document's first field; 1 is the file's first

	text  []byte // the document, a part of the file's bytes
	first int    // the line at which text begins
}

// Position is a place in a file.
//
// +kubebuilder:object:generate=false
type Position struct {
	File   string
	Line   int // 1 is the first
	Column int // 1 is the first; 0: not known
}

// String prints file:line.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// At returns where a field such as spec.rules[1].match[0].path.regex stands, or the innermost part of it that is there.
func (o Origin) At(field string) Position {
	if field != "" && o.text != nil {
		if root, err := parse(o.text); err == nil {
			return o.locate(root, path(field))
		}
	}
	return Position{File: o.File, Line: o.Line}
}

// Errorf makes an Error about a field of an object.
func (o Origin) Errorf(object, field, remedy, format string, args ...any) *Error {
	return &Error{
		File: o.File, Line: o.At(field).Line, Object: object, Field: field,
		Message: fmt.Sprintf(format, args...), Remedy: remedy,
	}
}

// locate finds a field in the document's nodes.
func (o Origin) locate(root *yaml.Node, field path) Position {
	at, value := root, root
	for _, step := range field.steps() {
		key, next := child(value, step)
		if next == nil {
			break
		}
		at, value = key, next
	}
	return o.position(at)
}

func (o Origin) position(n *yaml.Node) Position {
	return Position{File: o.File, Line: o.first - 1 + n.Line, Column: n.Column}
}

// child returns a mapping's entry or a sequence's item, and the node to point at for it.
func child(n *yaml.Node, step string) (at, value *yaml.Node) {
	n = resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if resolve(n.Content[i]).Value == step {
				return n.Content[i], n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && 0 <= i && i < len(n.Content) {
			return n.Content[i], n.Content[i]
		}
	default: // it has no children
	}
	return nil, nil
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias // never an alias itself: an anchor stands on a value
	}
	return n
}
