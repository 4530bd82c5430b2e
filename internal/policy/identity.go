package policy

import (
	"fmt"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/policy/expr"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// identityHeader is a header that tells the upstream who calls.
type identityHeader struct {
	name  string // lower case
	value *expr.Value
}

// compileIdentity compiles a list of identity headers. Errors are reported with the field inside the list.
func compileIdentity(list []v1alpha1.IdentityHeader, compile func(string) (*expr.Value, error), fail report) []identityHeader {
	headers := make([]identityHeader, 0, len(list))
	for i, item := range list {
		value, err := compile(item.Value)
		if err != nil {
			fail(fmt.Sprintf("[%d].value", i), remedyCEL, err)
			continue
		}
		headers = append(headers, identityHeader{one(strings.ToLower(item.Name)), value})
	}
	return headers
}

// setIdentity sets the rule's identity headers. A header whose value is empty stays for the hygiene to remove.
func (e *evaluation) setIdentity(m *authz.Mutation) error {
	for i := range e.rule.identity {
		h := &e.rule.identity[i]
		value, err := h.value.Text(e.input)
		if err != nil {
			return &identityError{h.name, err}
		}
		if value != "" {
			m.SetHeader(h.name, value)
		}
	}
	return nil
}

// identityError says which identity header has no value.
type identityError struct {
	header string
	err    error
}

func (e *identityError) Error() string { return "identity header " + e.header + ": " + e.err.Error() }
func (e *identityError) Unwrap() error { return e.err }
