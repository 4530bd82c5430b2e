package attach

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// BenchmarkResolve attaches 10,000 policies to 10,000 routes with two rules each, on a Gateway of two listeners that has
// a policy too.
func BenchmarkResolve(b *testing.B) {
	const n = 10_000
	all := gatewayv1.NamespacesFromSelector
	allowed := &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{
		From: &all, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"web": "yes"}},
	}}
	infra := metav1.ObjectMeta{Namespace: "infra", Name: "web"}
	in := Input{Namespaces: map[string]map[string]string{}}
	in.Gateways = []*gatewayv1.Gateway{{ObjectMeta: infra, Spec: gatewayv1.GatewaySpec{Listeners: []gatewayv1.Listener{
		{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType, AllowedRoutes: allowed},
		{Name: "https", Port: 443, Protocol: gatewayv1.HTTPSProtocolType, AllowedRoutes: allowed},
	}}}}
	in.Policies = []*v1alpha1.AuthPolicy{policyFor(infra, v1alpha1.KindGateway)}
	for i := range n {
		m := metav1.ObjectMeta{Namespace: fmt.Sprintf("team-%d", i%100), Name: fmt.Sprintf("route-%d", i)}
		in.Namespaces[m.Namespace] = map[string]string{"web": "yes"}
		path := func(text string) []gatewayv1.HTTPRouteMatch {
			return []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: new(text)}}}
		}
		in.HTTPRoutes = append(in.HTTPRoutes, &gatewayv1.HTTPRoute{ObjectMeta: m, Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Namespace: new(gatewayv1.Namespace("infra")), Name: "web"}}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(fmt.Sprintf("host-%d.example.com", i))},
			Rules:           []gatewayv1.HTTPRouteRule{{Matches: path("/read")}, {Matches: path("/write")}},
		}})
		in.Policies = append(in.Policies, policyFor(m, v1alpha1.KindHTTPRoute))
	}
	b.ReportAllocs()
	for b.Loop() {
		if out := Resolve(in); len(out.Routes) != 2*n || out.Routes[0].Policy == "" {
			b.Fatalf("%d routes", len(out.Routes))
		}
	}
}

// policyFor returns a policy for the object, of its name.
func policyFor(m metav1.ObjectMeta, kind string) *v1alpha1.AuthPolicy {
	return &v1alpha1.AuthPolicy{ObjectMeta: m, Spec: v1alpha1.AuthPolicySpec{
		TargetRefs: []v1alpha1.TargetReference{{Kind: kind, Name: m.Name}},
	}}
}
