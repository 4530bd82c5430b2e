package expr

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Condition is a compiled expression that yields a bool.
type Condition struct {
	program program
	params  bool
}

// Condition compiles the source. The error says what is wrong in one line.
func (e *Env) Condition(source string) (*Condition, error) {
	checked, err := e.check(source)
	if err != nil {
		return nil, err
	}
	if t := checked.OutputType(); !t.IsExactType(types.BoolType) {
		return nil, fmt.Errorf("it yields %s, a condition must yield bool; compare it with something", cel.FormatCELType(t))
	}
	program, err := e.plan(checked)
	if err != nil {
		return nil, err
	}
	return &Condition{program: program, params: readsParams(checked)}, nil
}

// Holds evaluates the condition. An error means that it could not be told, such as a claim that is not there.
func (c *Condition) Holds(in *Input) (bool, error) {
	out, err := c.program.eval(in)
	if err != nil {
		return false, err
	}
	return out == types.True, nil
}

// ReadsParams reports whether the condition reads request.params.
func (c *Condition) ReadsParams() bool { return c.params }
