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

const remedyHost = "write a name such as orders.example.com, or *.example.com for all names below it"

func parseHost(text string) (hostPattern, error) {
	name, wildcard := strings.CutPrefix(text, "*.")
	name, err := authz.CanonicalHost(name)
	if err != nil {
		return hostPattern{}, err
	}
	return hostPattern{name, wildcard}, nil
}

// String returns the pattern as it is written.
func (p hostPattern) String() string {
	if p.wildcard {
		return "*." + p.name
	}
	return p.name
}

// covers reports whether every host of q is one of p.
func (p hostPattern) covers(q hostPattern) bool {
	return p == q || p.wildcard && strings.HasSuffix(q.name, "."+p.name)
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

// wildcards yields the wildcards that cover the name, the longest suffix first.
func wildcards(name string) iter.Seq[hostPattern] {
	return func(yield func(hostPattern) bool) {
		for _, suffix, ok := strings.Cut(name, "."); ok; _, suffix, ok = strings.Cut(suffix, ".") {
			if !yield(hostPattern{suffix, true}) {
				return
			}
		}
	}
}
