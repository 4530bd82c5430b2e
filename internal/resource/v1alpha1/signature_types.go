package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SignatureProfile names a signing format.
//
// +kubebuilder:validation:Enum=rfc9421;x-ca;aws-sigv4;cavage;kong;apisix;stripe;github;standard-webhooks;slack;template
type SignatureProfile string

// The profiles.
const (
	ProfileRFC9421          SignatureProfile = "rfc9421"           // HTTP Message Signatures
	ProfileXCa              SignatureProfile = "x-ca"              // Alibaba Cloud API Gateway's digest authentication
	ProfileAWSSigV4         SignatureProfile = "aws-sigv4"         // AWS Signature Version 4
	ProfileCavage           SignatureProfile = "cavage"            // draft-cavage-http-signatures-12
	ProfileKong             SignatureProfile = "kong"              // Kong's hmac-auth
	ProfileAPISIX           SignatureProfile = "apisix"            // APISIX's hmac-auth, 3.11 and later
	ProfileStripe           SignatureProfile = "stripe"            // Stripe's webhooks
	ProfileGitHub           SignatureProfile = "github"            // GitHub's webhooks
	ProfileStandardWebhooks SignatureProfile = "standard-webhooks" // Standard Webhooks, and Svix's
	ProfileSlack            SignatureProfile = "slack"             // Slack's requests
	ProfileTemplate         SignatureProfile = "template"          // what the scheme describes
)

// BodyCoverage says when a signature must bind the body.
//
// +kubebuilder:validation:Enum=IfPresent;Required;Unbound
type BodyCoverage string

// The body coverages.
const (
	BodyIfPresent BodyCoverage = "IfPresent" // a request with a body must bind it
	BodyRequired  BodyCoverage = "Required"  // every request must bind its body, an empty one too
	BodyUnbound   BodyCoverage = "Unbound"   // the body need not be bound
)

// ReplayMode says whether what was signed counts once.
//
// +kubebuilder:validation:Enum=Reject;Allow
type ReplayMode string

// The replay modes.
const (
	ReplayReject ReplayMode = "Reject"
	ReplayAllow  ReplayMode = "Allow"
)

// SignatureScheme accepts signed requests.
//
// +kubebuilder:validation:XValidation:rule="!has(self.algorithms) || self.algorithms.all(a, self.profile == 'rfc9421' ? a in ['hmac-sha256', 'ed25519', 'ecdsa-p256-sha256', 'ecdsa-p384-sha384', 'rsa-pss-sha512', 'rsa-v1_5-sha256'] : self.profile == 'x-ca' ? a in ['hmac-sha256', 'hmac-sha1'] : self.profile == 'cavage' ? a in ['hmac-sha256', 'hmac-sha512', 'hmac-sha1', 'ed25519', 'ecdsa-sha256', 'rsa-sha256', 'rsa-sha512', 'rsa-sha1'] : self.profile == 'kong' ? a in ['hmac-sha256', 'hmac-sha384', 'hmac-sha512', 'hmac-sha1'] : self.profile == 'apisix' ? a in ['hmac-sha256', 'hmac-sha512', 'hmac-sha1'] : self.profile == 'standard-webhooks' ? a in ['hmac-sha256', 'ed25519'] : self.profile == 'template' ? a in ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] : a == 'hmac-sha256')",fieldPath=.algorithms,message="the profile has no such algorithm"
// +kubebuilder:validation:XValidation:rule="!has(self.cover) || self.cover.size() == 0 || !(self.profile in ['stripe', 'github', 'standard-webhooks', 'slack'])",fieldPath=.cover,message="cannot be chosen, because what this profile signs is fixed: leave it out"
// +kubebuilder:validation:XValidation:rule=`!has(self.cover) || self.profile != 'rfc9421' || self.cover.all(c, c.matches(r'^(@(method|authority|scheme|target-uri|request-target|path|query|query-param;name="[ !#-\[\]-~]+")|[a-z0-9!#$%&\x27*+.^_\x60|~-]+(;sf|;bs|;key="[ !#-\[\]-~]+")?)$'))`,fieldPath=.cover,message=`use @method, @authority, @scheme, @target-uri, @request-target, @path, @query, @query-param;name="…" and header names in lower case, perhaps with ;sf, ;bs or ;key="…"`
// +kubebuilder:validation:XValidation:rule="!has(self.cover) || self.profile != 'template' || self.cover.all(c, c in ['method', 'host', 'path', 'query', 'timestamp', 'nonce', 'body'])",fieldPath=.cover,message="use method, host, path, query, timestamp, nonce, body"
// +kubebuilder:validation:XValidation:rule=`!has(self.cover) || self.profile in ['rfc9421', 'template'] || self.cover.all(c, c.matches(r'^[a-z0-9!#$%&\x27*+.^_\x60|~-]+$') || self.profile == 'cavage' && c in ['(request-target)', '(created)', '(expires)'] || self.profile in ['kong', 'apisix'] && c == '@request-target')`,fieldPath=.cover,message="use header names in lower case; with cavage also (request-target), (created), (expires), with kong and apisix @request-target"
// +kubebuilder:validation:XValidation:rule="!has(self.rfc9421) || self.profile == 'rfc9421'",fieldPath=.rfc9421,message="belongs to profile rfc9421"
// +kubebuilder:validation:XValidation:rule="has(self.awsSigV4) == (self.profile == 'aws-sigv4')",fieldPath=.awsSigV4,message="is required with profile aws-sigv4, because a signature for any service would count, and belongs to no other"
// +kubebuilder:validation:XValidation:rule="has(self.template) == (self.profile == 'template')",fieldPath=.template,message="is required with profile template, and belongs to no other"
// +kubebuilder:validation:XValidation:rule="has(self.app) == (self.profile in ['stripe', 'github', 'standard-webhooks', 'slack'] || has(self.template) && !has(self.template.keyId))",fieldPath=.app,message="name the App whose keys are to be tried where requests name no key (stripe, github, standard-webhooks, slack, template without keyId), and only there"
type SignatureScheme struct {
	// Profile is the signing format.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a scheme keeps its profile, because policies rely on it: make a scheme of another name, and let the policies name that"
	Profile SignatureProfile `json:"profile"`
	// Algorithms accepted. Default: all of the profile's but those with SHA-1, which must be named.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=64
	// +listType=set
	Algorithms []string `json:"algorithms,omitempty"`
	// Cover lists what must be signed, in the profile's own names. Default: all that the profile's clients can sign of
	// method, host, path, query and time.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=256
	// +listType=set
	Cover []string `json:"cover,omitempty"`
	// Body is IfPresent (default): a request with a body must bind it; Required: every request must, an empty body too; or
	// Unbound: the body need not be bound.
	// +kubebuilder:default=IfPresent
	Body BodyCoverage `json:"body,omitempty"`
	// ClockSkew is how far a time may lie in the future. Default: the profile's, 60s for rfc9421.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+)$') && duration(self) >= duration('0s') && duration(self) <= duration('15m')",message="use a time from 0s to 15m, with its unit: 500ms, 30s, 5m"
	ClockSkew *metav1.Duration `json:"clockSkew,omitempty"`
	// MaxAge is how old a signature may be; it never lengthens the client's own expires. Default: the profile's, 5m for
	// rfc9421. Where nothing says when a request was signed (github), it is how long a replay is refused.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+)$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="use a time from 1s to 24h, with its unit: 500ms, 30s, 5m"
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
	// Replay is Reject (default): what was signed counts once; or Allow: a recorded request is accepted again.
	// +kubebuilder:default=Reject
	Replay ReplayMode `json:"replay,omitempty"`
	// Explain puts the text that the server expected to be signed into the 401, never a secret. For development.
	Explain bool `json:"explain,omitempty"`
	// Apps says whose keys count.
	Apps AppSelector `json:"apps,omitempty"`
	// App is whose keys are tried, "name" or "namespace/name", for profiles whose requests name no key.
	App AppName `json:"app,omitempty"`
	// External is what clients signed where a proxy in front changes it; it is used for signatures only.
	External *ExternalOrigin `json:"external,omitempty"`
	// RFC9421 holds what only that profile has.
	RFC9421 *RFC9421Options `json:"rfc9421,omitempty"`
	// AWSSigV4 says which scopes count; required with that profile.
	AWSSigV4 *AWSSigV4Options `json:"awsSigV4,omitempty"`
	// Template describes the format; required with that profile.
	Template *SignatureTemplate `json:"template,omitempty"`
}

// ExternalOrigin is the scheme and authority by which clients know the service. With an Authority, a signature for one
// host of a policy counts for its others too.
//
// +kubebuilder:validation:MinProperties=1
type ExternalOrigin struct {
	// Scheme is https or http.
	// +kubebuilder:validation:Enum=https;http
	Scheme string `json:"scheme,omitempty"`
	// Authority is a host, and a port if clients name one.
	// +kubebuilder:validation:MaxLength=260
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`
	Authority string `json:"authority,omitempty"`
}

// RFC9421Options says which signature counts when a request carries several.
type RFC9421Options struct {
	// Label of the signature that counts. Default: the only one.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^([a-z*][a-z0-9_.*-]*)?$`
	Label string `json:"label,omitempty"`
	// Tag that the signature must carry.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[ -~]*$`
	Tag string `json:"tag,omitempty"`
	// Nonce is Optional (default) or Required.
	// +kubebuilder:default=Optional
	Nonce NonceMode `json:"nonce,omitempty"`
}

// NonceMode says whether a signature must carry a nonce.
//
// +kubebuilder:validation:Enum=Optional;Required
type NonceMode string

// The nonce modes.
const (
	NonceOptional NonceMode = "Optional"
	NonceRequired NonceMode = "Required"
)

// AWSSigV4Options says which credential scopes count: a signature for another service could be replayed here.
type AWSSigV4Options struct {
	// Regions accepted, such as us-east-1; at least one.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^[!-.0-~]+$`
	// +listType=set
	Regions []string `json:"regions"`
	// Services accepted, such as execute-api; at least one.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^[!-.0-~]+$`
	// +listType=set
	Services []string `json:"services"`
}

// SignatureTemplate describes a signing format.
type SignatureTemplate struct {
	// Text is what is signed: literal text with placeholders such as {method}, {path} and {header:x-env}.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Text string `json:"text"`
	// Algorithm is hmac-sha256 (default), hmac-sha384 or hmac-sha512.
	// +kubebuilder:default=hmac-sha256
	// +kubebuilder:validation:Enum=hmac-sha256;hmac-sha384;hmac-sha512
	Algorithm string `json:"algorithm,omitempty"`
	// Signature is where the signature stands, and how it is written.
	Signature TemplateSignature `json:"signature"`
	// KeyID is where the key's id stands. Without it the scheme names an app.
	KeyID *TemplateField `json:"keyId,omitempty"`
	// Timestamp is where the time of signing stands.
	Timestamp *TemplateTimestamp `json:"timestamp,omitempty"`
	// Nonce is where the nonce stands.
	Nonce *TemplateField `json:"nonce,omitempty"`
}

// TemplateField is the header that holds a part of the signature.
type TemplateField struct {
	// Header that holds it.
	Header Token `json:"header"`
}

// TemplateSignature is the header that holds the signature.
type TemplateSignature struct {
	// Header that holds the signature.
	Header Token `json:"header"`
	// Prefix stands before the signature, and is compared exactly.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[ -~]*$`
	Prefix string `json:"prefix,omitempty"`
	// Encoding is hex, base64 (with padding) or base64url (without).
	Encoding TemplateEncoding `json:"encoding"`
}

// TemplateEncoding says how a signature is written.
//
// +kubebuilder:validation:Enum=hex;base64;base64url
type TemplateEncoding string

// The encodings of a signature.
const (
	EncodingHex       TemplateEncoding = "hex"
	EncodingBase64    TemplateEncoding = "base64"
	EncodingBase64URL TemplateEncoding = "base64url"
)

// TemplateTimestamp is the header that holds the time of signing.
type TemplateTimestamp struct {
	// Header that holds the time.
	Header Token `json:"header"`
	// Unit is s or ms since 1970, or rfc3339.
	Unit TimestampUnit `json:"unit"`
}

// TimestampUnit says how a time is written.
//
// +kubebuilder:validation:Enum=s;ms;rfc3339
type TimestampUnit string

// The ways to write a time.
const (
	UnitSeconds      TimestampUnit = "s"
	UnitMilliseconds TimestampUnit = "ms"
	UnitRFC3339      TimestampUnit = "rfc3339"
)
