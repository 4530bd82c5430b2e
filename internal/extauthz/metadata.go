package extauthz

import (
	"math"
	"slices"
	"strconv"

	"github.com/postern-auth/postern/internal/authz"
)

// Limits of the route's metadata.
const (
	maxMetadataDepth  = 16
	maxMetadataValues = 256
)

var (
	errMetadataSize   = malformed("route metadata is deeper than 16 levels or has more than 256 values")
	errMetadataRepeat = malformed("route metadata gives a name or a kind of value twice")
)

// flattener reads a core.v3.Metadata into Fields named "namespace\x00path.of.value". Elements of a list are named by
// their index; null, an empty struct and an empty list leave nothing.
type flattener struct {
	into       *[]authz.Field
	namespaces []string
	values     int
}

// field reads a field of a Metadata; typed_filter_metadata is left out.
func (m *flattener) field(f field) error {
	if f.tag != 1<<3|length {
		return nil
	}
	name, message, err := structEntry(f.bytes)
	if err != nil {
		return err
	}
	if slices.Contains(m.namespaces, name) {
		return errMetadataRepeat
	}
	m.namespaces = append(m.namespaces, name)
	return m.structure(name+"\x00", message, 1)
}

// structure reads a Struct whose fields are named prefix + name.
func (m *flattener) structure(prefix string, message []byte, depth int) error {
	if depth > maxMetadataDepth {
		return errMetadataSize
	}
	var names []string
	return each(message, func(f field) error {
		if f.tag != 1<<3|length {
			return nil
		}
		name, value, err := structEntry(f.bytes)
		if err != nil {
			return err
		}
		if slices.Contains(names, name) {
			return errMetadataRepeat
		}
		names = append(names, name)
		return m.value(prefix+name, value, depth)
	})
}

// list reads a ListValue.
func (m *flattener) list(name string, message []byte, depth int) error {
	if depth > maxMetadataDepth {
		return errMetadataSize
	}
	i := 0
	return each(message, func(f field) error {
		if f.tag != 1<<3|length {
			return nil
		}
		element := name + "." + strconv.Itoa(i)
		i++
		return m.value(element, f.bytes, depth)
	})
}

// value reads a Value, of which at most one kind may be set.
func (m *flattener) value(name string, message []byte, depth int) error {
	if m.values++; m.values > maxMetadataValues {
		return errMetadataSize
	}
	set := false
	return each(message, func(f field) error {
		switch {
		case !isKind(f.tag):
			return nil
		case set:
			return errMetadataRepeat
		}
		set = true
		switch f.tag {
		case 2<<3 | fixed64:
			return m.add(name, strconv.FormatFloat(math.Float64frombits(f.value), 'g', -1, 64))
		case 3<<3 | length:
			var text string
			if err := setText(&text, f.bytes); err != nil {
				return err
			}
			return m.add(name, text)
		case 4<<3 | varint:
			return m.add(name, strconv.FormatBool(f.value != 0))
		case 5<<3 | length:
			return m.structure(name+".", f.bytes, depth+1)
		case 6<<3 | length:
			return m.list(name, f.bytes, depth+1)
		}
		return nil // null
	})
}

// isKind reports whether the tag is one of Value's oneof.
func isKind(tag uint64) bool {
	switch tag {
	case 1<<3 | varint, 2<<3 | fixed64, 3<<3 | length, 4<<3 | varint, 5<<3 | length, 6<<3 | length:
		return true
	}
	return false
}

// add adds a field. Two paths that read the same, as in {"a.b": 1, "a": {"b": 2}}, are refused.
func (m *flattener) add(name, text string) error {
	for i := range *m.into {
		if (*m.into)[i].Name == name {
			return errMetadataRepeat
		}
	}
	*m.into = append(*m.into, authz.Field{Name: name, Value: text})
	return nil
}

// structEntry reads an entry of a map from string to a message, each of which may stand there once.
func structEntry(entry []byte) (name string, message []byte, err error) {
	set := false
	err = each(entry, func(f field) error {
		switch f.tag {
		case 1<<3 | length:
			return setText(&name, f.bytes)
		case 2<<3 | length:
			if set {
				return errMetadataRepeat
			}
			message, set = f.bytes, true
		}
		return nil
	})
	return name, message, err
}
