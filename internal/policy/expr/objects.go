package expr

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// The two object types, by the names that type errors show.
var (
	requestType   = cel.ObjectType("postern.Request")
	principalType = cel.ObjectType("postern.Principal")
)

// objects teaches CEL the two types: it resolves their fields through the tables, on demand.
type objects struct{ *types.Registry }

// FindStructType implements types.Provider.
func (o objects) FindStructType(name string) (*types.Type, bool) {
	switch name {
	case requestType.TypeName():
		return types.NewTypeTypeWithParam(requestType), true
	case principalType.TypeName():
		return types.NewTypeTypeWithParam(principalType), true
	default:
		return o.Registry.FindStructType(name)
	}
}

// FindStructFieldType implements types.Provider.
func (o objects) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	switch name {
	case requestType.TypeName():
		return fieldType(requestFields, field)
	case principalType.TypeName():
		return fieldType(principalFields, field)
	default:
		return o.Registry.FindStructFieldType(name, field)
	}
}

func fieldType[T any](fields map[string]field[T], name string) (*types.FieldType, bool) {
	f, ok := fields[name]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type: f.typ,
		IsSet: func(target any) bool {
			t, ok := target.(T)
			return ok && reflect.ValueOf(f.get(t)).Len() > 0 // every field is a string, list or map
		},
		GetFrom: func(target any) (any, error) {
			t, ok := target.(T)
			if !ok {
				return nil, fmt.Errorf("no field %q in %T", name, target)
			}
			return f.get(t), nil
		},
	}, true
}

// NativeToValue implements types.Adapter.
func (o objects) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case *Input:
		return object{v, requestType}
	case *Caller:
		return object{v, principalType}
	default:
		return o.Registry.NativeToValue(value)
	}
}

// object is a whole request or principal as a CEL value. Expressions reach its fields through the tables; by itself
// it can only be compared.
type object struct {
	native any
	typ    *types.Type
}

// ConvertToNative implements ref.Val.
func (o object) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s does not convert to %s", o.typ.TypeName(), t)
}

// ConvertToType implements ref.Val.
func (o object) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("%s does not convert to %s", o.typ.TypeName(), t.TypeName())
}

// Equal implements ref.Val. Callers are equal if the same scheme proved the same principal.
func (o object) Equal(other ref.Val) ref.Val {
	a, _ := o.native.(*Caller)
	b, _ := other.Value().(*Caller)
	if a != nil && b != nil {
		return types.Bool(*a == *b)
	}
	return types.Bool(o.native == other.Value())
}

// Type implements ref.Val.
func (o object) Type() ref.Type { return o.typ }

// Value implements ref.Val.
func (o object) Value() any { return o.native }
