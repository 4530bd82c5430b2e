package v1alpha1

import "strings"

// IsDNSLabel reports whether s is a label as RFC 1123 defines it, in lower case.
func IsDNSLabel(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLower(c) && !isDigit(c) && (c != '-' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 63
}

// isDNSName reports whether s may name a Kubernetes object: labels joined by dots, 253 characters at most. As in
// Kubernetes, a label may be as long as the name.
func isDNSName(s string) bool {
	for i := range len(s) {
		c, edge := s[i], i == 0 || i == len(s)-1 || s[i-1] == '.' || s[i+1] == '.'
		if !isLower(c) && !isDigit(c) && (c != '-' && c != '.' || edge) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 253
}

// isToken reports whether s is a token (RFC 9110 section 5.6.2): the name of a header field or of a cookie.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 128
}

// IsScope reports whether s is a scope-token (RFC 6749 section 3.3).
func IsScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 256
}

// isIdentifier reports whether s can follow a dot in CEL.
func isIdentifier(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && c != '_' && (!isDigit(c) || i == 0) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 64
}

// isCode reports whether s can be a machine-readable code in an answer.
func isCode(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLower(c) && !isDigit(c) && c != '_' {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 64
}

// isPrintable reports whether s is ASCII without control characters.
func isPrintable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// hasControl reports whether s holds a control character, CR, LF and NUL among them.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 })
}

// foldHeader returns the one spelling that all aliases of a header's name share: servers are known to take X_Auth_App
// and X.Auth.App for X-Auth-App.
func foldHeader(name string) string { return separators.Replace(strings.ToLower(name)) }

var separators = strings.NewReplacer("_", "-", ".", "-")

// carriesRequest reports whether the header is part of how the request itself is carried: who sets or removes it
// changes what the upstream reads, not who it believes the caller to be.
func carriesRequest(name string) bool {
	switch name = foldHeader(name); name {
	case "host", "content-length", "content-type", "content-encoding", "expect",
		"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
		"proxy-authenticate", "proxy-authorization":
		return true
	default:
		return false
	}
}

// isHint reports whether the header is one of those by which proxies tell each other what a request was. Clients can
// send them too, so nothing is ever decided by one.
func isHint(name string) bool {
	switch name = foldHeader(name); name {
	case "forwarded", "via", "x-http-method-override", "x-http-method", "x-method-override", "x-rewrite-url", "x-real-ip":
		return true
	default:
		return strings.HasPrefix(name, "x-forwarded-") || strings.HasPrefix(name, "x-original-") ||
			strings.HasPrefix(name, "x-envoy-")
	}
}
