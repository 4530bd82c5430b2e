package server

import (
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/telemetry"
)

// state is what is known of one App or AuthScheme: what its last good version was made into.
type state[T any] struct {
	object any        // what value was made from; a document keeps its object's pointer while it does not change
	files  []readFile // what making it read
	value  T
	made   bool // value is there
	fresh  bool // value is of the version that the document holds now
}

// reusable reports whether making the object again would give the same.
func (s *state[T]) reusable(object any) bool {
	return s != nil && s.made && s.object == object && unchanged(s.files)
}

// settle completes the state of a document: with what was made of its object, or with what was there before.
func settle[T any](doc *v1alpha1.Document, before *state[T], now state[T]) *state[T] {
	now.fresh = now.made && doc.Err == nil
	if !now.made && before != nil && before.made {
		kept := *before
		kept.fresh = false
		return &kept
	}
	return &now
}

// count counts the states of a kind.
func count[T any](kind string, states map[string]*state[T]) []telemetry.ResourceCount {
	counts := map[telemetry.ResourceState]int{}
	for _, s := range states {
		switch {
		case s.fresh:
			counts[telemetry.ResourceActive]++
		case s.made:
			counts[telemetry.ResourceLastGood]++
		default:
			counts[telemetry.ResourceInvalid]++
		}
	}
	return resourceCounts(kind, counts)
}

func resourceCounts(kind string, counts map[telemetry.ResourceState]int) []telemetry.ResourceCount {
	var all []telemetry.ResourceCount
	for _, s := range []telemetry.ResourceState{telemetry.ResourceActive, telemetry.ResourceLastGood, telemetry.ResourceInvalid} {
		all = append(all, telemetry.ResourceCount{Kind: kind, State: s, Count: counts[s]})
	}
	return all
}

// fullName returns "namespace/name".
func fullName(d *v1alpha1.Document) string { return d.Namespace + "/" + d.Name }
