package policy

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Input is everything that a Set is compiled from.
type Input struct {
	// Policies in any order, those that did not decode too.
	Policies []Document
	// Schemes by "namespace/name"; those that could not be made are left out.
	Schemes map[string]*Scheme
	// HostGrants, if there are any, list the only hosts that each namespace may name.
	HostGrants []HostGrant
	// Routes are those of the Gateway API, with the policies that are attached to them.
	Routes []v1alpha1.Route
	// RoutesWatched says that Routes are all there are. Then a request whose route Envoy names, and that is none of them, is
	// denied; else what Envoy names is passed over.
	RoutesWatched bool
	// SharedNamespace is where a scheme is looked for after the policy's own namespace; empty: nowhere else.
	SharedNamespace string
}

// Document is an AuthPolicy and where it came from.
type Document struct {
	Policy *v1alpha1.AuthPolicy // with Err: as much of its hosts and matches as could be read; nil if not even hosts
	Origin v1alpha1.Origin
	Err    error // why the object did not decode

	// Namespace and Name say whose document it is where Policy is nil.
	Namespace, Name string
	UID             types.UID // of an object of a cluster
}

// NewDocument returns what Compile needs of a decoded document of kind AuthPolicy.
func NewDocument(d *v1alpha1.Document) Document {
	return Document{Policy: d.Policy, Origin: d.Origin, Err: d.Err, Namespace: d.Namespace, Name: d.Name, UID: d.UID}
}

// name returns "namespace/name". Where no name could be read it is made of the place.
func (d *Document) name() string {
	switch {
	case d.Policy != nil && d.Policy.Name != "":
		return d.Policy.Namespace + "/" + d.Policy.Name
	case d.Name != "":
		return d.Namespace + "/" + d.Name
	default:
		return d.Namespace + "/(" + d.Origin.At("").String() + ")"
	}
}

// object returns the document's object as messages name it.
func (d *Document) object() string {
	return "AuthPolicy " + d.name()
}
