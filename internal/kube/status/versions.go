package status

import (
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// versions are resource versions by kind.
type versions map[string]string

// raise sets the version of a kind unless it has a later one.
func (v versions) raise(kind, version string) {
	if later(version, v[kind]) {
		v[kind] = version
	}
}

// reached reports whether every kind is at the version needed or past it.
func (v versions) reached(needed versions) bool {
	for kind, version := range needed {
		if have := v[kind]; have != version && !later(have, version) {
			return false
		}
	}
	return true
}

// later reports whether version a is later than b. Versions of one API server compare as integers (KEP-5504); what is
// none comes before everything.
func later(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	if err == nil {
		return order > 0
	}
	_, err = resourceversion.CompareResourceVersion(a, a)
	return err == nil
}
