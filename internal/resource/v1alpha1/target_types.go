package v1alpha1

// GatewayGroup is the API group of the Gateway API.
const GatewayGroup = "gateway.networking.k8s.io"

// The kinds of the Gateway API that a policy can be attached to.
const (
	KindGateway   = "Gateway"
	KindHTTPRoute = "HTTPRoute"
	KindGRPCRoute = "GRPCRoute"
)

// TargetReference names what a policy is attached to, in the way of the Gateway API's policy attachment (GEP-713).
type TargetReference struct {
	// Group is gateway.networking.k8s.io, also by default.
	// +kubebuilder:default=gateway.networking.k8s.io
	// +kubebuilder:validation:Enum=gateway.networking.k8s.io
	Group string `json:"group,omitempty"`
	// Kind is Gateway, HTTPRoute or GRPCRoute.
	// +kubebuilder:validation:Enum=Gateway;HTTPRoute;GRPCRoute
	Kind string `json:"kind"`
	// Namespace of the target. Default: the policy's. In another one a ReferenceGrant must allow it.
	Namespace DNSLabel `json:"namespace,omitempty"`
	// Name of the target.
	Name DNSName `json:"name"`
	// SectionName is a listener of the Gateway or a rule of the route. Default: all of them.
	SectionName DNSName `json:"sectionName,omitempty"`
}
