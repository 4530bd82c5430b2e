package policy

import (
	"errors"
	"regexp"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// besides matches fields of a policy that say nothing about what its rules match.
var besides = regexp.MustCompile(`^(apiVersion|kind|metadata|spec\.hosts|spec(\.rules\[\d+\])?\.(name|mode|security|authorize|identity|cors))(\.|\[|$)`)

// routesRead reports whether an object that failed to decode still says what its rules match: whether every error is
// about something else. A field that is not known might be a misspelt match.
func routesRead(err error) bool {
	if err == nil {
		return true
	}
	var list v1alpha1.Errors
	if !errors.As(err, &list) {
		return false
	}
	for _, e := range list {
		if !besides.MatchString(e.Field) {
			return false
		}
	}
	return true
}
