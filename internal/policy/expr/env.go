package expr

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// Env compiles expressions. It is safe for concurrent use.
type Env struct{ cel *cel.Env }

// NewEnv makes the environment. It takes a few milliseconds: make one and keep it.
func NewEnv() (*Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("cel: %w", err)
	}
	o := objects{registry}
	env, err := cel.NewEnv(
		cel.CustomTypeProvider(o),
		cel.CustomTypeAdapter(o),
		cel.Variable("request", requestType),
		cel.Variable("principal", principalType),
		cel.Variable("principals", cel.MapType(cel.StringType, principalType)),
		cel.Variable("now", cel.TimestampType),
		cel.ParserExpressionSizeLimit(maxSource),
		cel.ParserRecursionLimit(64),
	)
	if err != nil {
		return nil, fmt.Errorf("cel: %w", err)
	}
	return &Env{cel: env}, nil
}

const (
	// maxSource is how long an expression may be, in bytes.
	maxSource = 4096

	// maxCost bounds an expression, as estimated for large requests at load and as counted at run time. A unit is
	// about one operation, or ten bytes of a string looked at.
	maxCost = 100_000

	// largeList and largeText are what the estimate takes for an input whose size it cannot know.
	largeList = 128
	largeText = 1024
)

var errPattern = errors.New("the pattern of matches() must be a literal: a regular expression is never made of values of a request")

// check parses and type-checks the source, and bounds its cost.
func (e *Env) check(source string) (*cel.Ast, error) {
	checked, issues := e.cel.Compile(source)
	if issues != nil && issues.Err() != nil {
		return nil, firstIssue(issues)
	}
	if !literalPatterns(checked) {
		return nil, errPattern
	}
	estimate, err := e.cel.EstimateCost(checked, sizes{})
	if err != nil {
		return nil, fmt.Errorf("its cost cannot be estimated: %w", err)
	}
	if estimate.Max > maxCost {
		return nil, fmt.Errorf("it may cost %d units, the limit is %d; nest fewer loops", estimate.Max, maxCost)
	}
	return checked, nil
}

// firstIssue turns CEL's drawing of what is wrong into one line.
func firstIssue(issues *cel.Issues) error {
	for _, issue := range issues.Errors() {
		message, _, _ := strings.Cut(issue.Message, "\n")
		return fmt.Errorf("column %d: %s", max(issue.Location.Column(), 0)+1, message)
	}
	return issues.Err()
}

// literalPatterns reports whether every regular expression stands in the source.
func literalPatterns(checked *cel.Ast) bool {
	literal := true
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != overloads.Matches {
			return
		}
		args := e.AsCall().Args()
		if len(args) == 0 || args[len(args)-1].Kind() != ast.LiteralKind {
			literal = false
		}
	}))
	return literal
}

// readsParams reports whether the expression reads request.params.
func readsParams(checked *cel.Ast) bool {
	reads := false
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.SelectKind && e.AsSelect().FieldName() == "params" {
			reads = true
		}
	}))
	return reads
}

// sizes tells the estimate how large inputs may be.
type sizes struct{}

// EstimateSize implements cost.Estimator.
func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	if len(node.Path()) == 0 {
		return nil // computed from its parts
	}
	switch node.Type().Kind() {
	case types.ListKind, types.MapKind, types.DynKind:
		return &cost.SizeEstimate{Max: largeList}
	default:
		return &cost.SizeEstimate{Max: largeText}
	}
}

// EstimateCallCost implements cost.Estimator.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
