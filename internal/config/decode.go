package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxFile is far more than a configuration needs.
const maxFile = MiB

// Load reads the file over the defaults and checks that it has only known fields with values of the right type. It
// returns Errors. Whether the values make sense is for Validate to say, once flags have been applied.
func Load(path string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, Errors{{At: path, Message: err.Error(), Remedy: "name a readable file, or start with flags alone"}}
	}
	c, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	c.resolve(filepath.Dir(path))
	return c, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, int64(maxFile)+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(data) > int(maxFile) {
		return nil, fmt.Errorf("the file is larger than %v", maxFile)
	}
	return data, nil
}

// reason returns why a file could not be used, without its name.
func reason(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

func parse(file string, data []byte) (*Config, error) {
	c := Default()
	at, err := decode(file, data, c, describe)
	if err != nil {
		return nil, err
	}
	c.at = at
	return c, nil
}

// DecodeSecret reads a document of YAML over the struct that v points to, as strictly as Load, and returns where each field
// stands. Its errors are Errors, which repeat no value: somebody may have put a secret in the wrong place.
func DecodeSecret(file string, data []byte, v any) (Places, error) {
	return decode(file, data, v, func(n *yaml.Node) string {
		if n.Kind == yaml.ScalarNode {
			return "the value"
		}
		return describe(n)
	})
}

// decode does the work of Load and DecodeSecret. describe returns what a node is, for an error message.
func decode(file string, data []byte, v any, describe func(*yaml.Node) string) (Places, error) {
	at := Places{}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return at, nil
	case err != nil:
		return nil, Errors{syntax(file, err)}
	}
	switch err := dec.Decode(&next); {
	case err == nil:
		return nil, Errors{{
			At: file + ":" + strconv.Itoa(next.Line), Message: "a second document begins here", Remedy: "keep one",
		}}
	case !errors.Is(err, io.EOF):
		return nil, Errors{syntax(file, err)}
	}
	d := decoder{file: file, at: at, describe: describe}
	d.value(doc.Content[0], reflect.ValueOf(v).Elem(), "")
	return at, d.errs.orNil()
}

func syntax(file string, err error) *Error {
	return &Error{At: file, Message: strings.TrimPrefix(err.Error(), "yaml: "), Remedy: "correct the YAML"}
}

// decoder fills a struct from YAML nodes, notes where each field stands, and goes on after an error.
type decoder struct {
	file     string
	at       Places
	describe func(*yaml.Node) string
	errs     Errors
}

// value stores n in v; an empty value keeps what v holds.
func (d *decoder) value(n *yaml.Node, v reflect.Value, field string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if field != "" {
		d.at[field] = d.file + ":" + strconv.Itoa(n.Line)
	}
	if n.Tag == "!!null" {
		return
	}
	switch v.Kind() {
	case reflect.Pointer: // of a part that is there or not
		part := reflect.New(v.Type().Elem())
		d.mapping(n, part.Elem(), field)
		v.Set(part)
	case reflect.Struct:
		d.mapping(n, v, field)
	case reflect.Slice:
		d.sequence(n, v, field)
	default:
		if n.Kind != yaml.ScalarNode || !scalar(n, v) {
			d.fail(n, field, fmt.Sprintf("%s is not %s", d.describe(n), wanted[v.Type()].what), wanted[v.Type()].remedy)
		}
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, field string) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, field, d.describe(n)+" is not a mapping", "write one of its fields below it: "+strings.Join(fieldNames(v.Type()), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, name := n.Content[i], n.Content[i].Value
		path := strings.TrimPrefix(field+"."+name, ".")
		index := fieldIndex(v.Type(), name)
		switch {
		case index < 0:
			d.fail(key, path, "unknown field", "known here: "+strings.Join(fieldNames(v.Type()), ", "))
		case seen[name]:
			d.fail(key, path, "the field is there twice", "keep one")
		default:
			d.value(n.Content[i+1], v.Field(index), path)
		}
		seen[name] = true
	}
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, field string) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, field, d.describe(n)+" is not a list", "write items that begin with '- '")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.value(item, v.Index(i), field+"["+strconv.Itoa(i)+"]")
	}
}

func (d *decoder) fail(n *yaml.Node, field, message, remedy string) {
	at := d.file + ":" + strconv.Itoa(n.Line)
	d.errs = append(d.errs, &Error{At: at, Field: field, Message: message, Remedy: remedy})
}

// wanted says what each scalar type is, and how to write one.
var wanted = map[reflect.Type]struct{ what, remedy string }{
	reflect.TypeFor[string]():        {"text", "write text, in quotes if it looks like something else"},
	reflect.TypeFor[GatewayAPI]():    {"text", "write Auto, Enabled or Disabled"},
	reflect.TypeFor[Address]():       {"an address", "write host:port or unix:///path"},
	reflect.TypeFor[bool]():          {"true or false", "write true or false"},
	reflect.TypeFor[int]():           {"a whole number", "write a whole number such as 16"},
	reflect.TypeFor[float64]():       {"a number", "write a number such as 0.01"},
	reflect.TypeFor[time.Duration](): {"a duration", "write a number with its unit, such as 150ms"},
	reflect.TypeFor[Bytes]():         {"an amount of memory", "write a number with B, KiB, MiB or GiB, such as 32MiB"},
}

// scalar stores the scalar n in v and reports whether it is of v's type.
func scalar(n *yaml.Node, v reflect.Value) bool {
	var err error
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		*p, err = time.ParseDuration(n.Value)
	case *Bytes:
		*p, err = ParseBytes(n.Value)
	case *bool:
		if n.Tag != "!!bool" { // YAML 1.1's yes and on
			return false
		}
		err = n.Decode(p)
	case *int:
		*p, err = strconv.Atoi(n.Value)
	case *float64:
		err = n.Decode(p)
	default: // text
		if n.Tag != "!!str" {
			return false
		}
		v.SetString(n.Value)
	}
	return err == nil
}

// describe returns what a node is, for an error message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		const most = 64
		if len(n.Value) > most {
			return strconv.Quote(n.Value[:most]) + "…"
		}
		return strconv.Quote(n.Value)
	}
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		if tag := f.Tag.Get("yaml"); tag != "" {
			names = append(names, tag)
		}
	}
	return names
}

func fieldIndex(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" && tag == name {
			return i
		}
	}
	return -1
}
