package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// JWTScheme accepts JSON Web Tokens.
type JWTScheme struct {
	// In is looked at in order. Default: header Authorization with prefix "Bearer ".
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, a == b || has(a.header) && has(b.header) && a.header.lowerAscii() == b.header.lowerAscii() && has(a.prefix) == has(b.prefix) && (!has(a.prefix) || a.prefix.lowerAscii() == b.prefix.lowerAscii())))",message="a place is there twice"
	// +listType=atomic
	In []Location `json:"in,omitempty"`
	// Forward leaves the token in the request for the upstream.
	Forward bool `json:"forward,omitempty"`
	// Issuers whose tokens count; at least one.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=issuer
	Issuers []JWTIssuer `json:"issuers"`
	// Types are the values of typ accepted; absent counts as JWT. Default: JWT, at+jwt.
	// +kubebuilder:validation:MaxItems=16
	// +listType=set
	Types []Word `json:"types,omitempty"`
	// Leeway for exp, nbf and iat. Default: 30s.
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+)$') && duration(self) >= duration('0s') && duration(self) <= duration('10m')",message="use a time from 0s to 10m, with its unit: 500ms, 30s, 5m"
	Leeway *metav1.Duration `json:"leeway,omitempty"`
	// Require lists claims that must be there; exp always must.
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	Require []Word `json:"require,omitempty"`
	// Claims says where the principal's parts stand.
	Claims ClaimNames `json:"claims,omitempty"`
	// CertificateBound is "Off" (default): a token that is bound to a certificate is refused; Optional: it must come with
	// its certificate; or Required: every token must be bound (RFC 8705). Quote "Off": for kubectl it is false without.
	// +kubebuilder:default=Off
	CertificateBound BindingMode `json:"certificateBound,omitempty"`
}

// BindingMode says whether a token must be bound to the client's certificate.
//
// +kubebuilder:validation:Enum=Off;Optional;Required
type BindingMode string

// The binding modes.
const (
	BindingOff      BindingMode = "Off"      // a bound token is refused: its binding is not checked
	BindingOptional BindingMode = "Optional" // a bound token must be shown with its certificate
	BindingRequired BindingMode = "Required" // every token must be bound
)

// JWTIssuer is one issuer, the audiences accepted from it, and its keys: at most one of jwks and secretRef.
//
// +kubebuilder:validation:XValidation:rule="(has(self.jwks) ? 1 : 0) + (has(self.secret) ? 1 : 0) + (has(self.secretRef) ? 1 : 0) <= 1",message="keep one of jwks, secretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.secret)",fieldPath=.secret,message="names a file, and an object of a cluster has none: keep the value in a Secret of this namespace, and name that in secretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.algorithms) || self.algorithms.all(a, a.startsWith('HS') == (has(self.secret) || has(self.secretRef)))",fieldPath=.algorithms,message="HS256, HS384 and HS512 need a secret, and no other may stand beside one: a public key could be taken for it"
// +kubebuilder:validation:XValidation:rule="has(self.jwks) || has(self.secret) || has(self.secretRef) || self.issuer.matches('^(https://[^/?#@ ]+|http://(localhost|127[.][0-9]+[.][0-9]+[.][0-9]+|[[]::1[]])(:[0-9]+)?)(/[^?#]*)?$')",fieldPath=.issuer,message="keys are found by discovery below an https URL without credentials, query and fragment (plain http only on a loopback address): write one, or say where the keys are with jwks"
type JWTIssuer struct {
	// Issuer is compared exactly with the claim iss.
	Issuer Word `json:"issuer"`
	// Audiences of which the token must have one.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	Audiences []Word `json:"audiences"`
	// Algorithms accepted. Default: RS256, PS256, ES256, EdDSA; with a secret: HS256. HS256, HS384 and HS512 only with
	// a secret, and then no others.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:Enum=RS256;RS384;RS512;PS256;PS384;PS512;ES256;ES384;ES512;EdDSA;Ed25519;HS256;HS384;HS512
	// +listType=set
	Algorithms []string `json:"algorithms,omitempty"`
	// JWKS is where the keys are: exactly one of uri, inline and secretRef. Default: the issuer's OpenID Connect discovery
	// document.
	JWKS *JWKSSource `json:"jwks,omitempty"`
	// Secret is the HMAC key for HS* algorithms, in a file beside the resource's own; in a cluster use secretRef.
	Secret *SecretSource `json:"secret,omitempty"`
	// SecretRef is the HMAC key for HS* algorithms, in a Secret of Kubernetes.
	SecretRef *SecretReference `json:"secretRef,omitempty"`
}

// Shared reports whether the issuer signs with a secret that it shares with the server.
func (i *JWTIssuer) Shared() bool { return i.Secret != nil || i.SecretRef != nil }

// JWKSSource is exactly one of URI, Inline, File and SecretRef.
//
// +kubebuilder:validation:XValidation:rule="[has(self.uri), has(self.inline), has(self.file), has(self.secretRef)].exists_one(s, s)",message="set exactly one of uri, inline, secretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.file)",fieldPath=.file,message="names a file, and an object of a cluster has none: set uri, inline or secretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.uri) || self.uri.matches('^(https://[^/?#@ ]+|http://(localhost|127[.][0-9]+[.][0-9]+[.][0-9]+|[[]::1[]])(:[0-9]+)?)([/?][^#]*)?$')",fieldPath=.uri,message="write it like https://login.example.com/keys, without credentials and fragment; plain http is only for a loopback address"
type JWKSSource struct {
	// URI is fetched over https, or plain http from a loopback address.
	// +kubebuilder:validation:MaxLength=1024
	URI string `json:"uri,omitempty"`
	// Inline is the JSON text of a JWK Set.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Inline string `json:"inline,omitempty"`
	// File is a path relative to the resource's file; in a cluster use one of the others.
	// +kubebuilder:validation:MaxLength=1024
	File string `json:"file,omitempty"`
	// SecretRef is the JSON text of a JWK Set in a Secret of Kubernetes.
	SecretRef *SecretReference `json:"secretRef,omitempty"`
}

// ClaimNames says where a token holds the principal's parts. A nested claim is written with dots.
type ClaimNames struct {
	// Subject defaults to sub.
	Subject Word `json:"subject,omitempty"`
	// Scopes are looked at in order; the first that is there counts, a string or an array. Default: scope, scp.
	// +kubebuilder:validation:MaxItems=16
	// +listType=set
	Scopes []Word `json:"scopes,omitempty"`
	// Client defaults to client_id.
	Client Word `json:"client,omitempty"`
}
