// Package expr compiles the CEL expressions of a policy: conditions, which yield a bool, and identity values, which
// yield the text of a header.
//
// An expression sees four variables:
//
//	request     method, host, path, query (raw), headers (lower-case names; repeats joined by ", "), params, source
//	principal   subject, app, keyId, scopes, claims, attributes, scheme; all empty for an anonymous caller
//	principals  the same of every scheme that held, by its name: principals.login, principals["partner-key"]
//	now         the time of the check
//
// It is type-checked against them at load, and its cost is bounded there and again at run time. Fields are read from
// the [Input] only when an expression asks for them, so that what nobody uses is never built. A value that is a plain
// path, such as principal.claims.org.id, is read directly, without CEL.
//
// Request values are data: nothing here makes an expression or a regular expression out of them.
package expr

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/postern-auth/postern/internal/authz"
)

// Input is what one evaluation reads. It is not changed by it.
type Input struct {
	Request    *authz.Request
	Params     []authz.Field // what the path's template captured, decoded
	Principal  Caller
	Principals []Caller // every scheme of the alternative that held
}

// Caller is a principal and the scheme that proved it, by the name that the policy uses.
type Caller struct {
	Scheme    string
	Principal *authz.Principal // nil: anonymous
}

// ResolveName implements cel.Activation.
func (in *Input) ResolveName(name string) (any, bool) {
	switch name {
	case "request":
		return in, true
	case "principal":
		return &in.Principal, true
	case "principals":
		byScheme := make(map[string]any, len(in.Principals))
		for i := range in.Principals {
			byScheme[in.Principals[i].Scheme] = &in.Principals[i]
		}
		return byScheme, true
	case "now":
		return types.Timestamp{Time: in.Request.Now}, true
	default:
		return nil, false
	}
}

// Parent implements cel.Activation.
func (in *Input) Parent() cel.Activation { return nil }

// caller returns what the named scheme proved.
func (in *Input) caller(scheme string) (*Caller, bool) {
	for i := range in.Principals {
		if in.Principals[i].Scheme == scheme {
			return &in.Principals[i], true
		}
	}
	return nil, false
}
