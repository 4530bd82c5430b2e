package jwt

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// claimPath says where a claim stands: under its name as it is written, dots and all, so that names like
// "https://example.com/org" work; else nested, by its parts between dots.
type claimPath struct {
	name  string
	parts []string // nil: not nested
}

func newClaimPath(name string) claimPath {
	p := claimPath{name: name}
	if strings.Contains(name, ".") {
		p.parts = strings.Split(name, ".")
	}
	return p
}

// in returns the claim, nil if it is not there or null.
func (p *claimPath) in(claims map[string]any) any {
	if v, there := claims[p.name]; there || p.parts == nil {
		return v
	}
	var v any = claims
	for _, part := range p.parts {
		object, _ := v.(map[string]any)
		v = object[part]
	}
	return v
}

// text returns the claim, "" if it is not there. It is not ok if it is not a string.
func (p *claimPath) text(claims map[string]any) (s string, ok bool) {
	v := p.in(claims)
	if v == nil {
		return "", true
	}
	s, ok = v.(string)
	return s, ok
}

// maxSeconds is the last second of the year 9999. Later times are milliseconds taken for seconds.
const maxSeconds = 253402300799

// numericDate reads a NumericDate (RFC 7519 section 2): seconds since 1970, whole or not. It may not be negative.
func numericDate(v any) (time.Time, bool) {
	switch n := v.(type) {
	case int64:
		return time.Unix(n, 0), 0 <= n && n <= maxSeconds
	case float64:
		whole, part := math.Modf(n)
		return time.Unix(int64(whole), int64(part*1e9)), 0 <= n && n <= maxSeconds
	default:
		return time.Time{}, false
	}
}

// window is when a token may be used, leeway included: from notBefore on, and before notAfter.
type window struct{ notBefore, notAfter time.Time }

// readWindow reads exp, nbf and iat (RFC 7519 section 4.1). A token from the future is not one that was issued.
func readWindow(claims map[string]any, leeway time.Duration) (window, error) {
	expiry, ok := numericDate(claims["exp"])
	if !ok {
		return window{}, errExpiry
	}
	w := window{notAfter: expiry.Add(leeway)}
	for _, name := range [...]string{"nbf", "iat"} {
		v, there := claims[name]
		if !there {
			continue
		}
		start, ok := numericDate(v)
		if !ok {
			return window{}, errTime
		}
		if start = start.Add(-leeway); start.After(w.notBefore) {
			w.notBefore = start
		}
	}
	return w, nil
}

func (w *window) check(now time.Time) error {
	switch {
	case now.IsZero(): // nobody said what time it is, and every exp would lie in the future
		return errNoTime
	case now.Before(w.notBefore):
		return errEarly
	case !now.Before(w.notAfter):
		return errExpired
	default:
		return nil
	}
}

// inAudience reports whether aud, a string or an array of strings, names one of the audiences (RFC 7519 section 4.1.3).
func inAudience(aud any, audiences []string) bool {
	if s, ok := aud.(string); ok {
		return slices.Contains(audiences, s)
	}
	list, _ := aud.([]any)
	found := false
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return false
		}
		found = found || slices.Contains(audiences, s)
	}
	return found
}

// readScopes reads the first of the claims that is there: a string of scopes between spaces (RFC 8693 section 4.2),
// or an array of scopes.
func readScopes(claims map[string]any, paths []claimPath) (authz.Scopes, error) {
	for i := range paths {
		switch v := paths[i].in(claims).(type) {
		case nil:
		case string:
			return newScopes(strings.Split(v, " "))
		case []any:
			names := make([]string, len(v))
			for i := range v {
				s, ok := v[i].(string)
				if !ok {
					return authz.Scopes{}, errScopes
				}
				names[i] = s
			}
			return newScopes(names)
		default:
			return authz.Scopes{}, errScopes
		}
	}
	return authz.Scopes{}, nil
}

// newScopes refuses names that hold a space or a control byte: the upstream would read one as several, or as none.
func newScopes(names []string) (authz.Scopes, error) {
	for _, name := range names {
		for i := range len(name) {
			if name[i] <= ' ' || name[i] == 0x7f {
				return authz.Scopes{}, errScopes
			}
		}
	}
	return authz.NewScopes(names...), nil
}
