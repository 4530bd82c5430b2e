package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ControllerName is what Postern signs statuses with.
const ControllerName = "postern.dev/authz"

// The types of conditions.
const (
	// ConditionAccepted says whether the object is in use; its reason is a [Reason].
	ConditionAccepted = "Accepted"
	// ConditionProgrammed says whether every replica decides by this generation of the object.
	ConditionProgrammed = "Programmed"
	// ConditionOverridden says that a more specific policy takes the place of this one on all of the target.
	ConditionOverridden = "Overridden"
)

// Reason is why an object is, or is not, accepted.
//
// +kubebuilder:object:generate=false
type Reason string

// The reasons. An [Error] without one is Invalid.
const (
	ReasonAccepted       Reason = "Accepted"
	ReasonInvalid        Reason = "Invalid"
	ReasonConflicted     Reason = "Conflicted"
	ReasonNotGranted     Reason = "NotGranted"
	ReasonTargetNotFound Reason = "TargetNotFound"
	ReasonSchemeNotFound Reason = "SchemeNotFound"
	ReasonSecretNotFound Reason = "SecretNotFound"
)

// Status says what became of an AuthScheme or App.
type Status struct {
	// Conditions are Accepted and Programmed.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// AuthPolicyStatus says what became of an AuthPolicy.
type AuthPolicyStatus struct {
	// Conditions are Accepted and Programmed, for the policy as a whole.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Ancestors say it for each target (PolicyAncestorStatus of the Gateway API), 16 at most.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	Ancestors []AncestorStatus `json:"ancestors,omitempty"`
}

// AncestorStatus says what became of a policy on one target.
type AncestorStatus struct {
	// AncestorRef is the target.
	AncestorRef TargetReference `json:"ancestorRef"`
	// ControllerName is postern.dev/authz.
	// +kubebuilder:validation:MaxLength=253
	ControllerName string `json:"controllerName"`
	// Conditions are Accepted and Overridden, for this target.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
