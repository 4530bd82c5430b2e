package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AuthPolicy says what is required where.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=apol,categories=postern
// +kubebuilder:printcolumn:name=Hosts,type=string,JSONPath=`.spec.hosts`
// +kubebuilder:printcolumn:name=Targets,type=string,JSONPath=`.spec.targetRefs[*].name`
// +kubebuilder:printcolumn:name=Mode,type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name=Accepted,type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name=Programmed,type=string,JSONPath=`.status.conditions[?(@.type=="Programmed")].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type AuthPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says where the policy holds and what it requires.
	Spec AuthPolicySpec `json:"spec"`
	// Status says what became of it.
	Status AuthPolicyStatus `json:"status,omitzero"`
}

// AuthPolicySpec names hosts or targets, what they require, and rules that refine it.
//
// +kubebuilder:validation:XValidation:rule="has(self.hosts) && self.hosts.size() > 0 || has(self.targetRefs) && self.targetRefs.size() > 0",fieldPath=.hosts,message="name the hosts that the policy is for, or its targetRefs"
// +kubebuilder:validation:XValidation:rule="!(has(self.hosts) && self.hosts.size() > 0 && has(self.targetRefs) && self.targetRefs.size() > 0)",fieldPath=.hosts,message="keep one of hosts and targetRefs: a policy with targetRefs takes its hosts from them"
// +kubebuilder:validation:XValidation:rule="has(self.security) || has(self.rules) && self.rules.size() > 0 && self.rules.all(r, has(r.security))",message="list in security the schemes that let a caller in, or [{}] for everybody; or do so in each rule"
// +kubebuilder:validation:XValidation:rule="!has(self.identity) || self.identity.headers.all(h, !h.name.matches('(?i)^(host|te|trailer|upgrade|expect|connection|authorization|cookie|forwarded|via|content[-_.](length|type|encoding)|keep[-_.]alive|proxy[-_.](connection|authenticate|authorization)|transfer[-_.]encoding|http2[-_.]settings|x[-_.](forwarded|original|envoy)[-_.].*|x[-_.]http[-_.]method|x[-_.](http[-_.])?method[-_.]override|x[-_.]rewrite[-_.]url|x[-_.]real[-_.]ip)$'))",fieldPath=.identity.headers,message="requests or proxies need one of these headers: use names of your own, such as X-Auth-Subject"
// +kubebuilder:validation:XValidation:rule="!has(self.identity) || self.identity.headers.all(h, self.identity.headers.exists_one(g, g.name.lowerAscii().replace('_', '-').replace('.', '-') == h.name.lowerAscii().replace('_', '-').replace('.', '-')))",fieldPath=.identity.headers,message="a header is there twice: case, '_' and '.' make no difference"
type AuthPolicySpec struct {
	// Mode is Enforce (default) or Shadow: decide and report, let everything through.
	// +kubebuilder:default=Enforce
	Mode Mode `json:"mode,omitempty"`
	// Hosts are names or wildcards such as *.example.com, which stands for one or more labels. A policy has
	// either hosts or targetRefs.
	// +kubebuilder:validation:MaxItems=1000
	// +listType=set
	Hosts []HostPattern `json:"hosts,omitempty"`
	// TargetRefs attach the policy to Gateways and routes of the Gateway API, instead of hosts.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, a == b))",message="a target is there twice"
	// +listType=atomic
	TargetRefs []TargetReference `json:"targetRefs,omitempty"`

	// Requirements of the whole policy; a rule may set each again.
	Requirements `json:",inline"`

	// Rules refine the policy by path, method, header and source. Default: one rule for every path.
	// +kubebuilder:validation:MaxItems=1000
	// +listType=map
	// +listMapKey=name
	Rules []Rule `json:"rules,omitempty"`
}

// Mode says whether a policy decides or only observes.
//
// +kubebuilder:validation:Enum=Enforce;Shadow
type Mode string

// The modes.
const (
	ModeEnforce Mode = "Enforce"
	ModeShadow  Mode = "Shadow"
)

// SecurityRequirement is one alternative: every scheme named must hold, with the scopes listed. The empty one is
// anonymous access.
//
// +kubebuilder:validation:MaxProperties=16
type SecurityRequirement map[string][]Scope

// Requirements are the fields that a policy and a rule share.
type Requirements struct {
	// Security lists alternatives in OpenAPI's form: any item suffices, and within an item every scheme that it names,
	// with the scopes listed. [{}] lets everybody in. It is there in the policy, or in each rule.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	Security []SecurityRequirement `json:"security,omitempty"`
	// Authorize lists conditions that must all hold. In a rule an empty list drops the policy's.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	Authorize []Condition `json:"authorize,omitzero"`
	// Identity says which headers tell the upstream who calls. Default: X-Auth-Subject, X-Auth-App, X-Auth-Key-Id,
	// X-Auth-Scopes and X-Auth-Scheme.
	Identity *Identity `json:"identity,omitempty"`
	// CORS exempts true preflight requests.
	CORS *CORS `json:"cors,omitempty"`
}

// Condition is exactly one of cel and apps.
//
// +kubebuilder:validation:XValidation:rule="has(self.cel) != has(self.apps)",message="set exactly one of cel, apps"
type Condition struct {
	// CEL is an expression over request, principal, principals and now that yields a bool.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	CEL string `json:"cel,omitempty"`
	// Apps lists Apps, by name in the policy's namespace or as namespace/name; the principal must be one of them.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1000
	// +listType=atomic
	Apps []AppName `json:"apps,omitempty"`
	// Code is what the client is told when the condition does not hold. Default: forbidden.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[a-z0-9_]*$`
	Code string `json:"code,omitempty"`
}

// Identity lists the headers set for the upstream; an empty list sets none. Default: X-Auth-Subject, X-Auth-App,
// X-Auth-Key-Id, X-Auth-Scopes and X-Auth-Scheme.
type Identity struct {
	// Headers are removed from what clients send, and set to what the expressions yield.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	Headers []IdentityHeader `json:"headers"`
}

// IdentityHeader is a header and the CEL expression that yields its text. A list of strings, such as principal.scopes,
// is joined by spaces; where nothing is left the header is removed.
type IdentityHeader struct {
	// Name of the header: one of its own, which neither requests nor proxies need for something else.
	Name Token `json:"name"`
	// Value is a CEL expression such as principal.subject. A list of strings is joined by spaces; where nothing is left
	// the header is removed.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value"`
}

// CORS lists the origins whose preflight requests pass.
type CORS struct {
	// AllowOrigins are origins such as https://app.example.com.
	// +kubebuilder:validation:MaxItems=256
	// +listType=set
	AllowOrigins []WebOrigin `json:"allowOrigins"`
}

// Rule is a named part of a policy.
type Rule struct {
	// Name of the rule, for metrics, logs and the context extension postern.dev/rule.
	Name DNSLabel `json:"name"`
	// Match lists alternatives. Default: every request.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	Match []Match `json:"match,omitempty"`

	// Mode is Enforce or Shadow. Default: the policy's.
	Mode Mode `json:"mode,omitempty"`
	// Requirements that take the place of the policy's, each by itself.
	Requirements `json:",inline"`
}

// Match holds when each field that is set holds.
//
// +kubebuilder:validation:MinProperties=1
type Match struct {
	// Path of the request: exactly one of exact, prefix, template and regex.
	Path *PathMatch `json:"path,omitempty"`
	// Methods of which the request has one.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=set
	Methods []Method `json:"methods,omitempty"`
	// Headers that the request must all have.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	Headers []HeaderMatch `json:"headers,omitempty"`
	// Sources are IP prefixes of the peer that Envoy accepted.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1000
	// +listType=set
	Sources []SourcePrefix `json:"sources,omitempty"`
}

// PathMatch is exactly one of its fields. The most specific wins: exact, template, the longest prefix, regex.
//
// +kubebuilder:validation:XValidation:rule="(has(self.exact) ? 1 : 0) + (has(self.prefix) ? 1 : 0) + (has(self.template) ? 1 : 0) + (has(self.regex) ? 1 : 0) == 1",message="set exactly one of exact, prefix, template, regex"
type PathMatch struct {
	// Exact is the whole path, in canonical form: no empty or dot segments, unreserved characters not percent-encoded,
	// all else in upper case.
	Exact CanonicalPath `json:"exact,omitempty"`
	// Prefix matches whole segments: /v1 matches /v1 and /v1/x, not /v1x. It is in canonical form.
	Prefix CanonicalPath `json:"prefix,omitempty"`
	// Template has {name} for one segment and, at its end, {name=**} for the rest.
	Template PathTemplate `json:"template,omitempty"`
	// Regex is RE2 and matches the whole path, in canonical form.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Regex string `json:"regex,omitempty"`
}

// HeaderMatch is a header that must occur once, with exactly this value.
type HeaderMatch struct {
	// Name of the header.
	Name Token `json:"name"`
	// Value that it must have; it may be empty.
	Value HeaderValue `json:"value"`
}
