package expr

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Value is a compiled expression that yields the text of a header.
type Value struct {
	read    func(*Input) (any, bool) // a plain path, read directly; nil for others
	text    func(*Input) string      // a plain path to a string that is always there; nil for others
	program program                  // any other expression
	adapt   types.Adapter
	params  bool
}

// maxText is how long a value may be, in bytes.
const maxText = 4096

var (
	errTooLong  = fmt.Errorf("the value is longer than %d bytes", maxText)
	errBytes    = errors.New("the value holds a control byte or is not UTF-8")
	errItem     = errors.New("an item of the list is empty or holds a space, so that the joined list could be read in two ways")
	errItemType = errors.New("an item of the list is not a string")
	errNumber   = errors.New("the value is not a finite number")
)

// Value compiles the source. The error says what is wrong in one line.
func (e *Env) Value(source string) (*Value, error) {
	checked, err := e.check(source)
	if err != nil {
		return nil, err
	}
	if t := checked.OutputType(); !hasText(t) {
		return nil, fmt.Errorf("it yields %s, which has no text; use string(…) or a field of it", cel.FormatCELType(t))
	}
	v := &Value{adapt: e.cel.CELTypeAdapter(), params: readsParams(checked)}
	if v.text, v.read = selector(checked.NativeRep().Expr()); v.text != nil || v.read != nil {
		return v, nil
	}
	if v.program, err = e.plan(checked); err != nil {
		return nil, err
	}
	return v, nil
}

// Text evaluates the value. It is empty when there is nothing to say: an empty string or list, null, or a plain path
// that leads nowhere. An error means that the value cannot stand in a header or could not be told.
func (v *Value) Text(in *Input) (string, error) {
	s, err := v.unchecked(in)
	switch {
	case err != nil:
		return "", err
	case len(s) > maxText:
		return "", errTooLong
	case !clean(s):
		return "", errBytes
	}
	return s, nil
}

// ReadsParams reports whether the value reads request.params.
func (v *Value) ReadsParams() bool { return v.params }

func (v *Value) unchecked(in *Input) (string, error) {
	if v.text != nil {
		return v.text(in), nil
	}
	if v.read != nil {
		native, ok := v.read(in)
		if s, isText := native.(string); isText || !ok {
			return s, nil
		}
		return text(v.adapt.NativeToValue(native))
	}
	out, err := v.program.eval(in)
	if err != nil {
		return "", err
	}
	return text(out)
}

// hasText reports whether a value of the type may have a text; what is dynamic shows at run time.
func hasText(t *cel.Type) bool {
	switch t.Kind() {
	case types.StringKind, types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.NullTypeKind, types.DynKind:
		return true
	case types.ListKind:
		item := t.Parameters()[0].Kind()
		return item == types.StringKind || item == types.DynKind
	default:
		return false
	}
}

// text renders a value: a string as it is, a list of strings joined by spaces, numbers in decimal.
func text(v ref.Val) (string, error) {
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Null:
		return "", nil
	case types.Bool:
		return strconv.FormatBool(bool(v)), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), nil
	case types.Double:
		f := float64(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return "", errNumber
		}
		return strconv.FormatFloat(f, 'f', -1, 64), nil
	case traits.Lister:
		return joined(v)
	default:
		return "", fmt.Errorf("a value of type %s has no text", v.Type().TypeName())
	}
}

func joined(list traits.Lister) (string, error) {
	var b strings.Builder
	for it := list.Iterator(); it.HasNext() == types.True; {
		item, ok := it.Next().(types.String)
		switch {
		case !ok:
			return "", errItemType
		case item == "" || strings.Contains(string(item), " "):
			return "", errItem
		case b.Len() > maxText:
			return "", errTooLong
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(item))
	}
	return b.String(), nil
}

// clean reports whether s may stand in a header: UTF-8 without control characters.
func clean(s string) bool {
	ascii := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(s)
}
