package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is what Kubernetes clients know the kinds by.
func GroupVersion() schema.GroupVersion { return schema.GroupVersion{Group: Group, Version: Version} }

// AddToScheme registers the kinds with a Kubernetes client.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion(),
		&AuthScheme{}, &AuthSchemeList{}, &AuthPolicy{}, &AuthPolicyList{}, &App{}, &AppList{})
	metav1.AddToGroupVersion(s, GroupVersion())
	return nil
}

// AuthSchemeList is what the API server answers a list with.
//
// +kubebuilder:object:root=true
type AuthSchemeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []AuthScheme `json:"items"`
}

// AuthPolicyList is what the API server answers a list with.
//
// +kubebuilder:object:root=true
type AuthPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []AuthPolicy `json:"items"`
}

// AppList is what the API server answers a list with.
//
// +kubebuilder:object:root=true
type AppList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []App `json:"items"`
}
