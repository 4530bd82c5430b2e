package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/policy/expr"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// condition is one item of an authorize list: exactly one of cel and apps is set.
type condition struct {
	source string // for the trace
	cel    *expr.Condition
	apps   []string // "namespace/name"
	code   string
}

// remedyCEL follows what is wrong with an expression.
const remedyCEL = "correct the expression; it sees request, principal, principals and now"

var errNoCondition = errors.New("the condition names neither cel nor apps")

// compileConditions compiles an authorize list. Errors are reported with the field inside the list.
func compileConditions(list []v1alpha1.Condition, namespace string, env *expr.Env, fail report) []condition {
	conditions := make([]condition, 0, len(list))
	for i, item := range list {
		c := condition{source: item.CEL, code: item.Code}
		switch {
		case item.CEL != "":
			var err error
			if c.cel, err = env.Condition(item.CEL); err != nil {
				fail(fmt.Sprintf("[%d].cel", i), remedyCEL, err)
			}
		case len(item.Apps) > 0:
			for _, name := range item.Apps {
				if !strings.Contains(name, "/") {
					name = namespace + "/" + name
				}
				c.apps = append(c.apps, name)
			}
			c.source = "apps " + strings.Join(c.apps, ", ")
		default:
			fail(fmt.Sprintf("[%d]", i), "name one of them", errNoCondition)
		}
		conditions = append(conditions, c)
	}
	return conditions
}

// authorize evaluates the conditions of a rule in order. It returns the first that does not hold and why, nil if all do.
func (e *evaluation) authorize(t *Trace) (failed *condition, reason authz.Reason, err error) {
	for i := range e.rule.conditions {
		c := &e.rule.conditions[i]
		reason, err := e.holds(c)
		t.condition(c, reason, err)
		if reason != authz.ReasonUndecided {
			return c, reason, err
		}
	}
	return nil, authz.ReasonUndecided, nil
}

// holds evaluates one condition. It returns the reason why it does not hold, ReasonUndecided if it does.
func (e *evaluation) holds(c *condition) (authz.Reason, error) {
	if c.cel == nil {
		if e.provesApp(c.apps) {
			return authz.ReasonUndecided, nil
		}
		return authz.ReasonAppNotAllowed, nil
	}
	ok, err := c.cel.Holds(e.input)
	switch {
	case err != nil:
		return authz.ReasonConditionError, err
	case !ok:
		return authz.ReasonConditionFailed, nil
	default:
		return authz.ReasonUndecided, nil
	}
}

// provesApp reports whether a scheme that held proved one of the Apps.
func (e *evaluation) provesApp(apps []string) bool {
	for i, t := range e.alternative.terms {
		kind, app := e.rule.requirement.schemes[t.scheme].Kind, e.input.Principals[i].Principal.App
		if kind.provesApp() && app != "" && slices.Contains(apps, app) {
			return true
		}
	}
	return false
}
