package kube

import (
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/postern-auth/postern/internal/kube/attach"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// layOut lays out everything there is. input is nil if policies are attached as they were at the last layout.
func (o *objects) layOut() (documents []v1alpha1.Document, input *attach.Input) {
	o.mu.Lock()
	defer o.mu.Unlock()
	documents = make([]v1alpha1.Document, 0, len(o.resource))
	for _, key := range sortedKeys(o.resource) {
		documents = append(documents, o.resource[key].document)
	}
	if !o.attached {
		input = o.input()
		o.attached = true
	}
	return documents, input
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
