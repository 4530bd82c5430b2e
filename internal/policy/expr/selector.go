package expr

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// selector compiles a checked expression that is a string literal or a plain path from a variable (selections, and
// indexing by string literals) to a direct read. It returns text for what is always a string, read for what may be
// absent or of another type, and two nils for any other expression.
func selector(e ast.Expr) (text func(*Input) string, read func(*Input) (any, bool)) {
	if e.Kind() == ast.LiteralKind {
		if s, ok := e.AsLiteral().(types.String); ok {
			return func(*Input) string { return string(s) }, nil
		}
		return nil, nil
	}
	path, ok := plainPath(e)
	if !ok || len(path) < 2 {
		return nil, nil
	}
	switch root, name := path[0], path[1]; {
	case root == "request":
		return reader(requestFields[name], path[2:], func(in *Input) (*Input, bool) { return in, true })
	case root == "principal":
		return reader(principalFields[name], path[2:], func(in *Input) (*Caller, bool) { return &in.Principal, true })
	case root == "principals" && len(path) > 2:
		return reader(principalFields[path[2]], path[3:], func(in *Input) (*Caller, bool) { return in.caller(name) })
	default:
		return nil, nil
	}
}

// reader reads one field of an object, and then what the path leads to inside of it.
func reader[T any](f field[T], path []string, object func(*Input) (T, bool)) (func(*Input) string, func(*Input) (any, bool)) {
	if f.text != nil {
		return func(in *Input) string {
			o, ok := object(in)
			if !ok {
				return ""
			}
			return f.text(o)
		}, nil
	}
	return nil, func(in *Input) (any, bool) {
		o, ok := object(in)
		if !ok {
			return nil, false
		}
		return follow(f.value(o), path)
	}
}

// follow walks into maps. What is not there, or is not a map, leads nowhere.
func follow(value any, path []string) (any, bool) {
	for _, name := range path {
		var ok bool
		switch m := value.(type) {
		case map[string]any:
			value, ok = m[name]
		case map[string]string:
			value, ok = m[name]
		}
		if !ok {
			return nil, false
		}
	}
	return value, true
}

// plainPath returns the names along a path such as principal.claims["org"].id.
func plainPath(e ast.Expr) ([]string, bool) {
	var path []string
	for {
		switch e.Kind() {
		case ast.IdentKind:
			path = append(path, e.AsIdent())
			slices.Reverse(path)
			return path, true
		case ast.SelectKind:
			if e.AsSelect().IsTestOnly() {
				return nil, false
			}
			path = append(path, e.AsSelect().FieldName())
			e = e.AsSelect().Operand()
		case ast.CallKind:
			call := e.AsCall()
			if call.FunctionName() != operators.Index || call.Args()[1].Kind() != ast.LiteralKind {
				return nil, false
			}
			name, ok := call.Args()[1].AsLiteral().(types.String)
			if !ok {
				return nil, false
			}
			path = append(path, string(name))
			e = call.Args()[0]
		default:
			return nil, false
		}
	}
}
