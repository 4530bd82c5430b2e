package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AuthPolicy says what is required where.
//
// +kubebuilder:object:root=true
type AuthPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   AuthPolicySpec   `json:"spec"`
	Status AuthPolicyStatus `json:"status,omitzero"`
}

// AuthPolicySpec names hosts or targets, what they require, and rules that refine it.
type AuthPolicySpec struct {
	// Hosts are names or wildcards such as *.example.com, which stands for one or more labels.
	Hosts []string `json:"hosts,omitempty"`
	// TargetRefs attach the policy to Gateways and routes of the Gateway API, instead of Hosts.
	TargetRefs []TargetReference `json:"targetRefs,omitempty"`

	// Requirements of the whole policy; a rule may set each again.
	Requirements `json:",inline"`

	// Rules refine the policy by path, method, header and source. Default: one rule for every path.
	Rules []Rule `json:"rules,omitempty"`
}

// Mode says whether a policy decides or only observes.
type Mode string

// The modes.
const (
	ModeEnforce Mode = "Enforce"
	ModeShadow  Mode = "Shadow"
)

// SecurityRequirement is one alternative: every scheme named must hold, with the scopes listed. The empty one is
// anonymous access.
type SecurityRequirement map[string][]string

// Requirements are the fields that a policy and a rule share.
type Requirements struct {
	// Mode is Enforce (default) or Shadow: decide and report, let everything through.
	Mode Mode `json:"mode,omitempty"`
	// Security lists alternatives in OpenAPI's form: any item suffices. It is there in the policy, or in each rule.
	Security []SecurityRequirement `json:"security,omitempty"`
	// Authorize lists conditions that must all hold. In a rule an empty list drops the policy's.
	Authorize []Condition `json:"authorize,omitzero"`
	// Identity says which headers tell the upstream who calls.
	Identity *Identity `json:"identity,omitempty"`
	// CORS exempts true preflight requests.
	CORS *CORS `json:"cors,omitempty"`
}

// Condition is exactly one of CEL and Apps.
type Condition struct {
	// CEL is an expression over request, principal, principals and now that yields a bool.
	CEL string `json:"cel,omitempty"`
	// Apps lists Apps, by name in the policy's namespace or as namespace/name; the principal must be one of them.
	Apps []string `json:"apps,omitempty"`
	// Code is what the client is told when the condition does not hold. Default: forbidden.
	Code string `json:"code,omitempty"`
}

// Identity lists the headers set for the upstream; an empty list sets none. Default: X-Auth-Subject, X-Auth-App,
// X-Auth-Key-Id, X-Auth-Scopes and X-Auth-Scheme.
type Identity struct {
	Headers []IdentityHeader `json:"headers"`
}

// IdentityHeader is a header and the CEL expression that yields its text. A list of strings, such as principal.scopes,
// is joined by spaces; where nothing is left the header is removed.
type IdentityHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// CORS lists the origins whose preflight requests pass.
type CORS struct {
	AllowOrigins []string `json:"allowOrigins"`
}

// Rule is a named part of a policy.
type Rule struct {
	Name string `json:"name"`
	// Match lists alternatives. Default: every request.
	Match []Match `json:"match,omitempty"`

	Requirements `json:",inline"`
}

// Match holds when each field that is set holds.
type Match struct {
	Path    *PathMatch    `json:"path,omitempty"`
	Methods []string      `json:"methods,omitempty"`
	Headers []HeaderMatch `json:"headers,omitempty"`
	// Sources are IP prefixes of the peer that Envoy accepted.
	Sources []string `json:"sources,omitempty"`
}

// PathMatch is exactly one of its fields.
type PathMatch struct {
	Exact string `json:"exact,omitempty"`
	// Prefix matches whole segments: /v1 matches /v1 and /v1/x, not /v1x.
	Prefix string `json:"prefix,omitempty"`
	// Template has {name} for one segment and, at its end, {name=**} for the rest.
	Template string `json:"template,omitempty"`
	// Regex is RE2 and matches the whole path. All paths are in canonical form, see authz.CanonicalPath.
	Regex string `json:"regex,omitempty"`
}

// HeaderMatch is a header that must occur once, with exactly this value.
type HeaderMatch struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
