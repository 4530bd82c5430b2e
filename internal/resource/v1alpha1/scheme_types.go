package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AuthScheme says how a caller proves who it is.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=asch,categories=postern
// +kubebuilder:printcolumn:name=Profile,type=string,JSONPath=`.spec.signature.profile`
// +kubebuilder:printcolumn:name=Issuer,type=string,JSONPath=`.spec.jwt.issuers[*].issuer`
// +kubebuilder:printcolumn:name=Accepted,type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name=Programmed,type=string,JSONPath=`.status.conditions[?(@.type=="Programmed")].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type AuthScheme struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec holds exactly one of apiKey, signature and jwt. Which one it is, and a signature's profile, cannot be changed:
	// policies, in other namespaces too, name the scheme for what it asks of callers.
	Spec AuthSchemeSpec `json:"spec"`
	// Status says what became of it.
	Status Status `json:"status,omitzero"`
}

// AuthSchemeSpec holds exactly one of APIKey, Signature and JWT.
//
// +kubebuilder:validation:XValidation:rule="[has(self.apiKey), has(self.signature), has(self.jwt)].exists_one(t, t)",message="set exactly one of apiKey, signature, jwt"
// +kubebuilder:validation:XValidation:rule="has(self.apiKey) == has(oldSelf.apiKey) && has(self.signature) == has(oldSelf.signature) && has(self.jwt) == has(oldSelf.jwt)",message="a scheme keeps its type, because policies rely on it: make a scheme of another name, and let the policies name that"
type AuthSchemeSpec struct {
	// Realm stands in WWW-Authenticate. Default: the policy's first host.
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[ -~]*$`
	Realm string `json:"realm,omitempty"`

	// APIKey accepts API keys of Apps.
	APIKey *APIKeyScheme `json:"apiKey,omitempty"`
	// Signature accepts requests signed with a key of an App.
	Signature *SignatureScheme `json:"signature,omitempty"`
	// JWT accepts JSON Web Tokens.
	JWT *JWTScheme `json:"jwt,omitempty"`
}

// Location is one place where a credential may stand: exactly one of header, query and cookie.
//
// +kubebuilder:validation:XValidation:rule="[has(self.header), has(self.query), has(self.cookie)].exists_one(p, p)",message="set exactly one of header, query, cookie"
// +kubebuilder:validation:XValidation:rule="!has(self.prefix) || self.prefix.size() == 0 || has(self.header)",fieldPath=.prefix,message="only a header has a prefix"
type Location struct {
	// Header that holds the credential: Authorization or one of its own.
	// +kubebuilder:validation:XValidation:rule="!self.matches('(?i)^(cookie|host|te|trailer|upgrade|expect|connection|forwarded|via|content[-_.](length|type|encoding)|keep[-_.]alive|proxy[-_.](connection|authenticate|authorization)|transfer[-_.]encoding|http2[-_.]settings|x[-_.](forwarded|original|envoy)[-_.].*|x[-_.]http[-_.]method|x[-_.](http[-_.])?method[-_.]override|x[-_.]rewrite[-_.]url|x[-_.]real[-_.]ip)$')",message="the header carries the request itself, or proxies set it: use Authorization or a header of its own; for one cookie set cookie"
	Header Token `json:"header,omitempty"`
	// Prefix stands before the credential in the header, with its space: "Bearer ". Compared without regard to case.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^([!-+\--~][ -+\--~]*)?$`
	Prefix string `json:"prefix,omitempty"`
	// Query parameter that holds the credential.
	Query Token `json:"query,omitempty"`
	// Cookie that holds the credential.
	Cookie Token `json:"cookie,omitempty"`
}

// AppSelector says whose credentials a scheme accepts.
type AppSelector struct {
	// Namespaces of the Apps. Default: the scheme's own.
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	Namespaces []DNSLabel `json:"namespaces,omitempty"`
	// MatchLabels must all be on the App.
	// +kubebuilder:validation:MaxProperties=64
	MatchLabels map[string]string `json:"matchLabels,omitempty"`
}

// ChecksumMode says whether API keys must have the minted shape.
//
// +kubebuilder:validation:Enum=Required;Ignored
type ChecksumMode string

// The checksum modes.
const (
	// ChecksumRequired accepts only keys minted by Postern; random guesses are refused without a look-up.
	ChecksumRequired ChecksumMode = "Required"
	// ChecksumIgnored accepts imported keys of any shape.
	ChecksumIgnored ChecksumMode = "Ignored"
)

// APIKeyScheme accepts API keys.
type APIKeyScheme struct {
	// In is looked at in order. Default: header X-API-Key.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, a == b || has(a.header) && has(b.header) && a.header.lowerAscii() == b.header.lowerAscii() && has(a.prefix) == has(b.prefix) && (!has(a.prefix) || a.prefix.lowerAscii() == b.prefix.lowerAscii())))",message="a place is there twice"
	// +listType=atomic
	In []Location `json:"in,omitempty"`
	// Forward leaves the key in the request for the upstream.
	Forward bool `json:"forward,omitempty"`
	// Checksum is Required (default): only keys minted by Postern count, and guesses are refused without a look-up; or
	// Ignored: imported keys of any shape count.
	// +kubebuilder:default=Required
	Checksum ChecksumMode `json:"checksum,omitempty"`
	// Apps says whose keys count.
	Apps AppSelector `json:"apps,omitempty"`
}
