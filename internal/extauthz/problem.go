package extauthz

import (
	"strconv"

	"github.com/postern-auth/postern/internal/authz"
)

// maxProblemText is the longest request id or code that a body repeats, in bytes.
const maxProblemText = 128

// appendProblem appends the body of a denial as application/problem+json (RFC 9457). It depends on the class, never on
// the reason; only a 403 may carry the code that its policy names. The request id is the one Envoy logs; the client may
// have chosen it, so one that would need escaping is left out.
func appendProblem(b []byte, class authz.Class, code, requestID string) []byte {
	if class != authz.ClassForbidden || !isPlain(code) {
		code = class.Code()
	}
	b = append(b, `{"type":"tag:postern.dev,2026:`...)
	b = append(b, class.Code()...)
	b = append(b, `","title":"`...)
	b = append(b, class.Title()...)
	b = append(b, `","status":`...)
	b = strconv.AppendInt(b, int64(class.HTTPStatus()), 10)
	b = append(b, `,"code":"`...)
	b = append(b, code...)
	if isPlain(requestID) {
		b = append(b, `","requestId":"`...)
		b = append(b, requestID...)
	}
	return append(b, `"}`...)
}

// isPlain reports whether s is a short token, which can stand in JSON as it is.
func isPlain(s string) bool {
	_, ok := lowerToken(s)
	return ok && len(s) <= maxProblemText
}
