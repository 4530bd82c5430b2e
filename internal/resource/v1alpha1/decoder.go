package v1alpha1

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The parser's names for the types of values that matter here.
const (
	nullTag      = "!!null"
	boolTag      = "!!bool"
	stringTag    = "!!str"
	timestampTag = "!!timestamp"
	mapTag       = "!!map"
	listTag      = "!!seq"
	mergeTag     = "!!merge"
)

const (
	// maxValues bounds the values of a document once its aliases are written out, against a few lines that name each
	// other and stand for billions.
	maxValues = 250_000

	// maxErrors is how many errors of one document are told.
	maxErrors = 100
)

// decoder writes a document's nodes into an object. It is strict, as the Kubernetes API server is: names are matched
// exactly, a field comes once, text is not made of numbers. One pass yields every value and every error with its line,
// at less cost than a detour through JSON.
type decoder struct {
	origin Origin
	object string
	root   *yaml.Node
	errs   Errors
	values int
}

// decode fills the object that target points to.
func (d *decoder) decode(target any) {
	d.value(d.root, reflect.ValueOf(target).Elem(), "")
	if d.values > maxValues {
		d.errs = append(d.errs[:0], d.origin.Errorf(d.object, "", "write less of it with aliases",
			"the document stands for more than %d values", maxValues))
	}
}

func (d *decoder) errorf(n *yaml.Node, at path, remedy, format string, args ...any) {
	if len(d.errs) >= maxErrors {
		return
	}
	d.errs = append(d.errs, &Error{
		File: d.origin.File, Line: d.origin.position(n).Line, Object: d.object, Field: string(at),
		Message: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

// merge adds what validation found, with lines, except where decoding has complained about the same place already.
func (d *decoder) merge(found Errors) {
	decoding := d.errs
	for _, e := range found {
		if len(d.errs) >= maxErrors {
			return
		}
		if !explained(path(e.Field), decoding) {
			e.File, e.Line = d.origin.File, d.origin.locate(d.root, path(e.Field)).Line
			d.errs = append(d.errs, e)
		}
	}
}

// explained reports whether one of the errors stands at the place, around it or inside it.
func explained(at path, errs Errors) bool {
	for _, e := range errs {
		if at.within(path(e.Field)) || path(e.Field).within(at) {
			return true
		}
	}
	return false
}

func (d *decoder) unknownKind(kind string) *Error {
	const kinds = KindAuthScheme + ", " + KindAuthPolicy + " or " + KindApp
	if kind == "" {
		return d.origin.Errorf("", "kind", "a resource begins with apiVersion: "+APIVersion+" and kind: "+kinds, "is missing")
	}
	return d.origin.Errorf("", "kind", "use "+kinds, "the kind %s is not known", quote(kind))
}

var (
	timeType     = reflect.TypeFor[metav1.Time]()
	durationType = reflect.TypeFor[metav1.Duration]()
)

// value decodes a node into v. What cannot be decoded leaves v as it is.
func (d *decoder) value(n *yaml.Node, v reflect.Value, at path) {
	if d.values++; d.values > maxValues {
		return
	}
	n = resolve(n)
	switch {
	case v.Type() == timeType:
		d.time(n, v, at)
	case v.Type() == durationType:
		d.duration(n, v, at)
	case v.Kind() == reflect.Pointer:
		into := reflect.New(v.Type().Elem())
		d.value(n, into.Elem(), at)
		v.Set(into)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, at)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, at)
	case v.Kind() == reflect.Slice:
		d.list(n, v, at)
	case v.Kind() == reflect.Bool:
		if d.is(n, at, yaml.ScalarNode, boolTag) {
			v.SetBool(strings.EqualFold(n.Value, "true"))
		}
	default:
		if text, ok := d.text(n, at); ok {
			v.SetString(text)
		}
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, at path) {
	if !d.is(n, at, yaml.MappingNode, mapTag) {
		return
	}
	fields := fieldsOf(v.Type())
	seen := make([]bool, len(fields.list))
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, ok := d.key(n.Content[i], at)
		if !ok {
			continue
		}
		place := at.dot(name)
		f, known := fields.byName[name]
		switch {
		case !known:
			d.errorf(n.Content[i], place, fields.suggest(name), "unknown field")
		case seen[f]:
			d.errorf(n.Content[i], place, "keep one of them", "the field is there twice")
		default:
			seen[f] = true
			d.value(n.Content[i+1], v.FieldByIndex(fields.list[f].index), place)
		}
	}
	for f := range fields.list {
		if fields.list[f].required && !seen[f] {
			d.errorf(n, at.dot(fields.list[f].name), "add it", "is missing")
		}
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, at path) {
	if !d.is(n, at, yaml.MappingNode, mapTag) {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, ok := d.key(n.Content[i], at)
		if !ok {
			continue
		}
		key := reflect.ValueOf(name)
		if v.MapIndex(key).IsValid() {
			d.errorf(n.Content[i], at.dot(name), "keep one of them", "the field is there twice")
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(n.Content[i+1], item, at.dot(name))
		v.SetMapIndex(key, item)
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, at path) {
	if !d.is(n, at, yaml.SequenceNode, listTag) {
		return
	}
	items := reflect.MakeSlice(v.Type(), 0, min(len(n.Content), maxValues-d.values))
	for i := 0; i < len(n.Content) && d.values < maxValues; i++ {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(n.Content[i], item, at.index(i))
		items = reflect.Append(items, item)
	}
	v.Set(items)
}

// key returns a mapping's key.
func (d *decoder) key(n *yaml.Node, at path) (string, bool) {
	switch key := resolve(n); {
	case key.Kind != yaml.ScalarNode || key.Tag == nullTag:
		d.errorf(n, at, "use plain names", "a field's name is not text")
	case key.Tag == mergeTag:
		d.errorf(n, at, "write the fields out", "the merge key << is not supported")
	default:
		return key.Value, true
	}
	return "", false
}

// text returns a scalar as it is written, if it is text. A date counts as text, as it does in JSON.
func (d *decoder) text(n *yaml.Node, at path) (string, bool) {
	if n.Kind == yaml.ScalarNode && n.Tag == timestampTag {
		return n.Value, true
	}
	return n.Value, d.is(n, at, yaml.ScalarNode, stringTag)
}

func (d *decoder) time(n *yaml.Node, v reflect.Value, at path) {
	if n.Tag == nullTag {
		return // creationTimestamp: null is what Kubernetes tools write
	}
	text, ok := d.text(n, at)
	if !ok {
		return
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		d.errorf(n, at, "write it as 2026-10-01T00:00:00Z (RFC 3339)", "%s is not a time", quote(text))
		return
	}
	v.Set(reflect.ValueOf(metav1.NewTime(t)))
}

func (d *decoder) duration(n *yaml.Node, v reflect.Value, at path) {
	if n.Kind != yaml.ScalarNode || n.Tag == nullTag {
		d.is(n, at, yaml.ScalarNode, stringTag)
		return
	}
	t, err := time.ParseDuration(n.Value)
	if err != nil {
		d.errorf(n, at, "write it with its unit: 500ms, 30s, 5m", "%s is not a duration", quote(n.Value))
		return
	}
	v.Set(reflect.ValueOf(metav1.Duration{Duration: t}))
}

// is reports whether the node is of the kind and type wanted, and complains if it is not.
func (d *decoder) is(n *yaml.Node, at path, kind yaml.Kind, tag string) bool {
	if n.Kind == kind && n.Tag == tag {
		return true
	}
	want, found := typeName(tag), typeName(n.Tag)
	remedy := "write " + want + " here"
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == nullTag:
		d.errorf(n, at, "give it one, or leave the field out", "has no value; it must be %s", want)
		return false
	case tag == stringTag && n.Kind == yaml.ScalarNode && n.Style&yaml.TaggedStyle == 0:
		remedy = "put it in quotes"
	case tag == listTag && n.Kind == yaml.ScalarNode:
		remedy = "put it in brackets: [ … ]"
	case tag == boolTag:
		remedy = "write true or false, without quotes"
	}
	d.errorf(n, at, remedy, "is %s, not %s", found, want)
	return false
}

// typeName says in plain words what a tag stands for.
func typeName(tag string) string {
	switch tag {
	case mapTag:
		return "a mapping of fields"
	case listTag:
		return "a list"
	case stringTag:
		return "text"
	case boolTag:
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case timestampTag:
		return "a date"
	default:
		return "of the type " + quote(tag)
	}
}
