package kube

import (
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/postern-auth/postern/internal/kube/attach"
	"github.com/postern-auth/postern/internal/kube/status"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// layout is everything there is at one time.
type layout struct {
	documents []v1alpha1.Document
	objects   []status.Object
	changed   bool          // documents are not those of the last layout
	input     *attach.Input // nil: policies are attached as they were at the last layout
}

func (o *objects) layOut() layout {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := layout{
		documents: make([]v1alpha1.Document, 0, len(o.resource)),
		objects:   make([]status.Object, 0, len(o.resource)),
		changed:   o.dirty,
	}
	o.dirty = false
	for _, key := range sortedKeys(o.resource) {
		r := o.resource[key]
		l.documents = append(l.documents, r.document)
		l.objects = append(l.objects, status.Object{
			Kind: key.Kind, Namespace: key.Namespace, Name: key.Name,
			UID: r.uid, Generation: r.generation, ResourceVersion: r.version,
		})
	}
	if !o.attached {
		l.input = o.input()
		o.attached = true
	}
	return l
}

// input gathers what policies are attached by. A kind of which not everything has been told is taken not to be there.
func (o *objects) input() *attach.Input {
	in := &attach.Input{Namespaces: map[string]map[string]string{}}
	for key := range o.resource {
		if p := o.policy(key); p != nil {
			in.Policies = append(in.Policies, p)
		}
	}
	for key, object := range o.gateway {
		if o.waiting[key.Kind] {
			continue
		}
		switch object := object.(type) {
		case *gatewayv1.Gateway:
			in.Gateways = append(in.Gateways, object)
		case *gatewayv1.HTTPRoute:
			in.HTTPRoutes = append(in.HTTPRoutes, object)
		case *gatewayv1.GRPCRoute:
			in.GRPCRoutes = append(in.GRPCRoutes, object)
		case *gatewayv1beta1.ReferenceGrant:
			in.Grants = append(in.Grants, (*gatewayv1.ReferenceGrant)(object))
		case *corev1.Namespace:
			in.Namespaces[object.Name] = object.Labels
		}
	}
	return in
}
