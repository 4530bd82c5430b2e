package attach

import (
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/authz"
)

// everyHost is the pattern of a listener or route that names no host.
const everyHost = "*"

// canonicalHost returns the pattern as requests' hosts are written. One that no request can have is not ok.
func canonicalHost(pattern gatewayv1.Hostname) (host string, ok bool) {
	name, wildcard := strings.CutPrefix(string(pattern), "*.")
	host, err := authz.CanonicalHost(name)
	if wildcard {
		host = "*." + host
	}
	return host, err == nil
}

// intersect returns the pattern of the hosts that are in both, if there are any. Of two patterns that share a host one
// covers the other (HTTPRouteSpec.Hostnames).
func intersect(a, b string) (host string, ok bool) {
	switch {
	case covers(a, b):
		return b, true
	case covers(b, a):
		return a, true
	default:
		return "", false
	}
}

// covers reports whether every host of b is one of a. A wildcard stands for one label or more.
func covers(a, b string) bool {
	if a == everyHost || a == b {
		return true
	}
	suffix, wildcard := strings.CutPrefix(a, "*")
	return wildcard && len(b) > len(suffix) && strings.HasSuffix(b, suffix)
}

// hostsOn returns what a listener's hostname leaves of a route's hosts, sorted, each once.
func hostsOn(listener string, hosts []string) []string {
	var left []string
	for _, h := range hosts {
		if h, ok := intersect(listener, h); ok {
			left = append(left, h)
		}
	}
	slices.Sort(left)
	return slices.Compact(left)
}
