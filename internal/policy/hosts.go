package policy

import (
	"iter"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// hostPattern is a host name in canonical form, or a wildcard: "*.example.com" stands for one or more labels before
// example.com, never for example.com itself. Names are compared as labels; nothing makes an expression of them.
type hostPattern struct {
	name     string // what follows "*." in a wildcard
	wildcard bool
}

// everyHost is "*", the hosts of a Route that names none. Policies cannot name it.
var everyHost = hostPattern{wildcard: true}

const remedyHost = "write a name such as orders.example.com, or *.example.com for all names below it"

func parseHost(text string) (hostPattern, error) {
	name, wildcard := strings.CutPrefix(text, "*.")
	name, err := authz.CanonicalHost(name)
	if err != nil {
		return hostPattern{}, err
	}
	return hostPattern{name, wildcard}, nil
}

// parseRouteHost parses a host of a Route, which may be every one.
func parseRouteHost(text string) (hostPattern, error) {
	if text == everyHost.String() {
		return everyHost, nil
	}
	return parseHost(text)
}

// String returns the pattern as it is written.
func (p hostPattern) String() string {
	switch {
	case p == everyHost:
		return "*"
	case p.wildcard:
		return "*." + p.name
	default:
		return p.name
	}
}

// covers reports whether every host of q is one of p.
func (p hostPattern) covers(q hostPattern) bool {
	if p == q || p == everyHost {
		return true
	}
	labels, ok := strings.CutSuffix(q.name, p.name)
	return ok && p.wildcard && strings.HasSuffix(labels, ".")
}

// hostIndex finds the most specific pattern for a host.
type hostIndex map[hostPattern]*host

// find returns the entry of the most specific pattern that covers the host, nil if none does.
func (x hostIndex) find(name string) *host {
	if h := x[hostPattern{name: name}]; h != nil {
		return h
	}
	for wider := range wildcards(name) {
		if h := x[wider]; h != nil {
			return h
		}
	}
	return nil
}

// covering returns the value of the most specific pattern that covers p, the zero value if none does.
func covering[V any](index map[hostPattern]V, p hostPattern) (v V) {
	if v, ok := index[p]; ok {
		return v
	}
	for wider := range wildcards(p.name) {
		if v, ok := index[wider]; ok {
			return v
		}
	}
	return v
}

// wildcards yields the wildcards that cover the name, the longest suffix first.
func wildcards(name string) iter.Seq[hostPattern] {
	return func(yield func(hostPattern) bool) {
		for _, suffix, ok := strings.Cut(name, "."); ok; _, suffix, ok = strings.Cut(suffix, ".") {
			if !yield(hostPattern{suffix, true}) {
				return
			}
		}
		yield(everyHost)
	}
}
