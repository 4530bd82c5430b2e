// Package v1alpha1 is what users write: the kinds AuthScheme, AuthPolicy and App of the API group postern.dev, as YAML
// files or as Kubernetes custom resources.
//
// The types follow the Kubernetes API conventions. [Decode] reads documents strictly and says where an error stands;
// every object has SetDefaults and Validate. Compiling them into something that decides is the work of package policy.
//
// +kubebuilder:object:generate=true
// +groupName=postern.dev
package v1alpha1

// Group and Version name the API; APIVersion is what stands in a document.
const (
	Group      = "postern.dev"
	Version    = "v1alpha1"
	APIVersion = Group + "/" + Version
)
