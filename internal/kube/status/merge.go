package status

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// mergeConditions brings the conditions that there are up to those wanted, and reports whether anything changed. It
// leaves alone those of other types than Postern's.
func mergeConditions(current *[]metav1.Condition, wanted []metav1.Condition, now metav1.Time) (changed bool) {
	for _, c := range wanted {
		if stays(meta.FindStatusCondition(*current, c.Type), &c) {
			continue
		}
		c.LastTransitionTime = now
		changed = meta.SetStatusCondition(current, c) || changed
	}
	for _, kind := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionProgrammed, v1alpha1.ConditionOverridden} {
		if meta.FindStatusCondition(wanted, kind) == nil {
			changed = meta.RemoveStatusCondition(current, kind) || changed
		}
	}
	return changed
}

// observesLater reports whether the conditions that there are tell of a later generation than those wanted.
func observesLater(current, wanted []metav1.Condition) bool {
	return slices.ContainsFunc(wanted, func(w metav1.Condition) bool {
		c := meta.FindStatusCondition(current, w.Type)
		return c != nil && c.ObservedGeneration > w.ObservedGeneration
	})
}

// stays reports whether a condition need not be written again, although the one wanted says that some replica is behind:
// this generation was Programmed before, and a replica that starts later starts with it.
func stays(current, wanted *metav1.Condition) bool {
	return current != nil && wanted.Type == v1alpha1.ConditionProgrammed && current.ObservedGeneration == wanted.ObservedGeneration &&
		wanted.Reason == reasonPending && current.Status == metav1.ConditionTrue
}

// mergeAncestors does the same for the ancestors of a policy.
func mergeAncestors(current *[]v1alpha1.AncestorStatus, wanted []v1alpha1.AncestorStatus, now metav1.Time) (changed bool) {
	next := make([]v1alpha1.AncestorStatus, len(wanted))
	changed = len(*current) != len(wanted)
	for i, w := range wanted {
		next[i] = v1alpha1.AncestorStatus{AncestorRef: w.AncestorRef, ControllerName: w.ControllerName}
		at := slices.IndexFunc(*current, func(a v1alpha1.AncestorStatus) bool {
			return a.AncestorRef == w.AncestorRef && a.ControllerName == w.ControllerName
		})
		if at >= 0 {
			next[i].Conditions = slices.Clone((*current)[at].Conditions)
		}
		changed = mergeConditions(&next[i].Conditions, w.Conditions, now) || at != i || changed
	}
	if changed {
		*current = next
	}
	return changed
}
