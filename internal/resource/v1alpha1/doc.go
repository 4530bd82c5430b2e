// Package v1alpha1 is what users write: the kinds AuthScheme, AuthPolicy and App of the API group postern.dev, as YAML
// files or as Kubernetes custom resources.
//
// The types follow the Kubernetes API conventions. [Decode] reads documents strictly and says where an error stands;
// every object has SetDefaults and Validate. Compiling them into something that decides is the work of package policy.
//
// A document goes through these steps. The file is split at its markers; each document is parsed into nodes, which know
// their lines; the nodes are decoded strictly into the Go type; defaults are set; the object is validated. Everything
// that is wrong with an object is reported at once, and nothing about the others.
//
// +kubebuilder:object:generate=true
// +groupName=postern.dev
package v1alpha1

//go:generate go tool -modfile=../../../test/tools/go.mod controller-gen object crd paths=. output:crd:dir=../../../helm/postern/files/crds

// Group and Version name the API; APIVersion is what stands in a document.
const (
	Group      = "postern.dev"
	Version    = "v1alpha1"
	APIVersion = Group + "/" + Version
)
