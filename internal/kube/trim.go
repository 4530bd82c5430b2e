package kube

import (
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	keys "github.com/postern-auth/postern/internal/keystore/kube"
	"github.com/postern-auth/postern/internal/kube/attach"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// trim takes away what nobody here reads before an object enters the cache, so that thousands of them take little
// memory and a key's text takes none. What the cache holds must therefore never be written back as a whole.
func (s *Source) trim(in any) (any, error) {
	o, ok := in.(client.Object)
	if !ok {
		return in, nil // a tombstone; what it holds was trimmed before
	}
	o.SetManagedFields(nil)
	o.SetOwnerReferences(nil)
	o.SetFinalizers(nil)
	annotations := o.GetAnnotations() // kubectl's last-applied-configuration holds a Secret's data once more
	maps.DeleteFunc(annotations, func(name, _ string) bool { return !strings.HasPrefix(name, v1alpha1.Group+"/") })
	if len(annotations) == 0 {
		o.SetAnnotations(nil)
	}
	switch o := o.(type) {
	case *corev1.Secret:
		if keys.IsAPIKey(o.Labels) {
			o.Data = keys.Trim(o.Data, s.options.Hasher)
		}
	case *corev1.Namespace:
		o.Spec, o.Status = corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
	case *gatewayv1.Gateway:
		trimGateway(o)
	case *gatewayv1.HTTPRoute:
		for i := range o.Spec.Rules {
			trimRule(&o.Spec.Rules[i])
		}
	case *gatewayv1.GRPCRoute:
		for i := range o.Spec.Rules {
			r := &o.Spec.Rules[i]
			*r = gatewayv1.GRPCRouteRule{Name: r.Name, Matches: r.Matches}
		}
	}
	return o, nil
}

// trimRule leaves what requests are matched by, and of the rest whether there is nothing but a redirect.
func trimRule(r *gatewayv1.HTTPRouteRule) {
	kept := gatewayv1.HTTPRouteRule{Name: r.Name, Matches: r.Matches}
	if attach.Redirects(r) {
		kept.Filters = []gatewayv1.HTTPRouteFilter{{Type: gatewayv1.HTTPRouteFilterRequestRedirect}}
	}
	*r = kept
}

func trimGateway(g *gatewayv1.Gateway) {
	g.Spec = gatewayv1.GatewaySpec{GatewayClassName: g.Spec.GatewayClassName, Listeners: g.Spec.Listeners}
	for i := range g.Spec.Listeners {
		l := &g.Spec.Listeners[i]
		*l = gatewayv1.Listener{Name: l.Name, Hostname: l.Hostname, Port: l.Port, Protocol: l.Protocol, AllowedRoutes: l.AllowedRoutes}
	}
	g.Status = gatewayv1.GatewayStatus{Conditions: g.Status.Conditions, Listeners: g.Status.Listeners}
	for i := range g.Status.Listeners {
		l := &g.Status.Listeners[i]
		*l = gatewayv1.ListenerStatus{Name: l.Name, Conditions: l.Conditions}
	}
}
