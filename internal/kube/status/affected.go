package status

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// conditionAffected says on a Gateway or route which policies hold for it, in the way of GEP-713.
const conditionAffected = v1alpha1.Group + "/AuthPolicyAffected"

// The Gateway API's bound of conditions on a Gateway, and of a route's parents.
const (
	mostConditions = 8
	mostParents    = 32
)

// setAffected sets or, without policies, removes the condition. It reports whether anything changed.
func setAffected(conditions *[]metav1.Condition, policies []string, generation int64, now metav1.Time) bool {
	if len(policies) == 0 {
		return meta.RemoveStatusCondition(conditions, conditionAffected)
	}
	if len(*conditions) >= mostConditions && meta.FindStatusCondition(*conditions, conditionAffected) == nil {
		return false
	}
	return meta.SetStatusCondition(conditions, metav1.Condition{
		Type: conditionAffected, Status: metav1.ConditionTrue, ObservedGeneration: generation, LastTransitionTime: now,
		Reason: string(v1alpha1.ReasonAccepted), Message: cut("affected by "+policyList(policies), maxMessage),
	})
}

// setParents does the same for a route, whose conditions stand beside a parent and a controller's name: Postern has an
// entry of its own for each parent.
func setParents(status *gatewayv1.RouteStatus, refs []gatewayv1.ParentReference, policies []string, generation int64, now metav1.Time) (changed bool) {
	var parents []gatewayv1.RouteParentStatus
	for _, p := range status.Parents {
		if p.ControllerName != v1alpha1.ControllerName {
			parents = append(parents, p)
			continue
		}
		held := policies
		if !slices.ContainsFunc(refs, func(r gatewayv1.ParentReference) bool { return equality.Semantic.DeepEqual(r, p.ParentRef) }) {
			held = nil // it was attached to that parent once
		}
		p.Conditions = slices.Clone(p.Conditions)
		changed = setAffected(&p.Conditions, held, generation, now) || changed
		if len(p.Conditions) > 0 { // others have been seen to write here
			parents = append(parents, p)
		}
	}
	for _, ref := range refs {
		if len(policies) == 0 || len(parents) >= mostParents || slices.ContainsFunc(parents, isOwn(ref)) {
			continue
		}
		p := gatewayv1.RouteParentStatus{ParentRef: ref, ControllerName: v1alpha1.ControllerName}
		changed = setAffected(&p.Conditions, policies, generation, now) || changed
		parents = append(parents, p)
	}
	if changed {
		status.Parents = parents
	}
	return changed
}

// isOwn tells Postern's entry for a parent.
func isOwn(ref gatewayv1.ParentReference) func(gatewayv1.RouteParentStatus) bool {
	return func(p gatewayv1.RouteParentStatus) bool {
		return p.ControllerName == v1alpha1.ControllerName && equality.Semantic.DeepEqual(p.ParentRef, ref)
	}
}

// isAffected reports whether the condition stands anywhere on a target.
func isAffected(conditions []metav1.Condition, parents []gatewayv1.RouteParentStatus) bool {
	return meta.FindStatusCondition(conditions, conditionAffected) != nil ||
		slices.ContainsFunc(parents, func(p gatewayv1.RouteParentStatus) bool {
			return p.ControllerName == v1alpha1.ControllerName && meta.FindStatusCondition(p.Conditions, conditionAffected) != nil
		})
}
