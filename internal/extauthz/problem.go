package extauthz

import (
	"encoding/json"
	"strconv"

	"github.com/postern-auth/postern/internal/authz"
)

// The longest texts that a body repeats, in bytes: a request id or code, and an explanation.
const (
	maxProblemText = 128
	maxExplanation = 4 << 10
)

// appendProblem appends the body of a denial as application/problem+json (RFC 9457). It depends on the class, never on
// the reason; only a 403 may carry the code that its policy names, and only a 401 of a scheme under development an
// explanation. The request id is the one Envoy logs; the client may have chosen it, so one that would need escaping is
// left out.
func appendProblem(b []byte, class authz.Class, code, requestID, explanation string) []byte {
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
	b = append(b, '"')
	if explanation != "" {
		b = append(b, `,"explanation":`...)
		b = appendJSON(b, explanation)
	}
	return append(b, '}')
}

// appendJSON appends the text, or its beginning, as a JSON string.
func appendJSON(b []byte, text string) []byte {
	if len(text) > maxExplanation {
		text = text[:maxExplanation]
	}
	encoded, err := json.Marshal(text) // bytes that are not UTF-8 become U+FFFD
	if err != nil {
		return append(b, `""`...)
	}
	return append(b, encoded...)
}

// isPlain reports whether s is a short token, which can stand in JSON as it is.
func isPlain(s string) bool {
	_, ok := lowerToken(s)
	return ok && len(s) <= maxProblemText
}
