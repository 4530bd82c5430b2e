package expr

import (
	"errors"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// program is a planned expression and its source.
type program struct {
	cel    cel.Program
	source string
}

// plan makes the program of a checked expression.
func (e *Env) plan(checked *cel.Ast) (program, error) {
	p, err := e.cel.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), "\n")
		return program{}, errors.New(text)
	}
	return program{p, checked.Source().Content()}, nil
}

var (
	errCost  = errors.New("the expression costs too much for this request")
	errValue = errors.New("the expression has no value here: something is missing or of another type")
)

// eval evaluates the program. CEL's own errors quote values of the request, which may be secrets, so they are replaced,
// but for the name of a missing key that stands in the source.
func (p program) eval(in *Input) (ref.Val, error) {
	out, _, err := p.cel.Eval(in)
	if err == nil {
		return out, nil
	}
	var canceled interpreter.EvalCancelledError
	if errors.As(err, &canceled) && canceled.Cause == interpreter.CostLimitExceeded {
		return nil, errCost
	}
	if key, ok := strings.CutPrefix(err.Error(), "no such key: "); ok && strings.Contains(p.source, key) {
		return nil, &missingError{key}
	}
	return nil, errValue
}

// missingError names the key that a map does not have.
type missingError struct{ key string }

func (e *missingError) Error() string { return "there is no " + e.key }
