package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AuthScheme says how a caller proves who it is.
//
// +kubebuilder:object:root=true
type AuthScheme struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   AuthSchemeSpec `json:"spec"`
	Status Status         `json:"status,omitzero"`
}

// AuthSchemeSpec holds exactly one of APIKey, Signature and JWT.
type AuthSchemeSpec struct {
	// Realm stands in WWW-Authenticate. Default: the policy's first host.
	Realm string `json:"realm,omitempty"`

	APIKey    *APIKeyScheme    `json:"apiKey,omitempty"`
	Signature *SignatureScheme `json:"signature,omitempty"`
	JWT       *JWTScheme       `json:"jwt,omitempty"`
}

// Location is one place where a credential may stand: exactly one of Header, Query and Cookie.
type Location struct {
	Header string `json:"header,omitempty"`
	// Prefix stands before the credential in the header, with its space: "Bearer ". Compared without regard to case.
	Prefix string `json:"prefix,omitempty"`
	Query  string `json:"query,omitempty"`
	Cookie string `json:"cookie,omitempty"`
}

// AppSelector says whose credentials a scheme accepts.
type AppSelector struct {
	// Namespaces of the Apps. Default: the scheme's own.
	Namespaces []string `json:"namespaces,omitempty"`
	// MatchLabels must all be on the App.
	MatchLabels map[string]string `json:"matchLabels,omitempty"`
}

// ChecksumMode says whether API keys must have the minted shape.
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
	In []Location `json:"in,omitempty"`
	// Forward leaves the key in the request for the upstream.
	Forward bool `json:"forward,omitempty"`
	// Checksum is Required (default) or Ignored.
	Checksum ChecksumMode `json:"checksum,omitempty"`
	// Apps says whose keys count.
	Apps AppSelector `json:"apps,omitempty"`
}

// SignatureProfile names a signing format.
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
type BodyCoverage string

// The body coverages.
const (
	BodyIfPresent BodyCoverage = "IfPresent" // a request with a body must bind it
	BodyRequired  BodyCoverage = "Required"  // every request must bind its body, an empty one too
	BodyUnbound   BodyCoverage = "Unbound"   // the body need not be bound
)

// ReplayMode says whether what was signed counts once.
type ReplayMode string

// The replay modes.
const (
	ReplayReject ReplayMode = "Reject"
	ReplayAllow  ReplayMode = "Allow"
)

// SignatureScheme accepts signed requests.
type SignatureScheme struct {
	// Profile is the signing format.
	Profile SignatureProfile `json:"profile"`
	// Algorithms accepted. Default: all of the profile's but those with SHA-1, which must be named.
	Algorithms []string `json:"algorithms,omitempty"`
	// Cover lists what must be signed, in the profile's own names. Default: all that the profile's clients can sign of
	// method, host, path, query and time.
	Cover []string `json:"cover,omitempty"`
	// Body is IfPresent (default), Required or Unbound.
	Body BodyCoverage `json:"body,omitempty"`
	// ClockSkew is how far a time may lie in the future. Default: the profile's, 60s for rfc9421.
	ClockSkew *metav1.Duration `json:"clockSkew,omitempty"`
	// MaxAge is how old a signature may be; it never lengthens the client's own expires. Default: the profile's, 5m for
	// rfc9421. Where nothing says when a request was signed (github), it is how long a replay is refused.
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
	// Replay is Reject (default) or Allow.
	Replay ReplayMode `json:"replay,omitempty"`
	// Explain puts the text that the server expected to be signed into the 401, never a secret. For development.
	Explain bool `json:"explain,omitempty"`
	// Apps says whose keys count.
	Apps AppSelector `json:"apps,omitempty"`
	// App is whose keys are tried, "name" or "namespace/name", for profiles whose requests name no key.
	App string `json:"app,omitempty"`
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
type ExternalOrigin struct {
	Scheme    string `json:"scheme,omitempty"`
	Authority string `json:"authority,omitempty"`
}

// RFC9421Options says which signature counts when a request carries several.
type RFC9421Options struct {
	// Label of the signature that counts. Default: the only one.
	Label string `json:"label,omitempty"`
	// Tag that the signature must carry.
	Tag string `json:"tag,omitempty"`
	// Nonce is Optional (default) or Required.
	Nonce NonceMode `json:"nonce,omitempty"`
}

// NonceMode says whether a signature must carry a nonce.
type NonceMode string

// The nonce modes.
const (
	NonceOptional NonceMode = "Optional"
	NonceRequired NonceMode = "Required"
)

// AWSSigV4Options says which credential scopes count: a signature for another service could be replayed here.
type AWSSigV4Options struct {
	// Regions accepted, such as us-east-1; at least one.
	Regions []string `json:"regions"`
	// Services accepted, such as execute-api; at least one.
	Services []string `json:"services"`
}

// SignatureTemplate describes a signing format.
type SignatureTemplate struct {
	// Text is what is signed: literal text with placeholders such as {method}, {path} and {header:x-env}.
	Text string `json:"text"`
	// Algorithm is hmac-sha256 (default), hmac-sha384 or hmac-sha512.
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
	Header string `json:"header"`
}

// TemplateSignature is the header that holds the signature.
type TemplateSignature struct {
	Header string `json:"header"`
	// Prefix stands before the signature, and is compared exactly.
	Prefix string `json:"prefix,omitempty"`
	// Encoding is hex, base64 (with padding) or base64url (without).
	Encoding TemplateEncoding `json:"encoding"`
}

// TemplateEncoding says how a signature is written.
type TemplateEncoding string

// The encodings of a signature.
const (
	EncodingHex       TemplateEncoding = "hex"
	EncodingBase64    TemplateEncoding = "base64"
	EncodingBase64URL TemplateEncoding = "base64url"
)

// TemplateTimestamp is the header that holds the time of signing.
type TemplateTimestamp struct {
	Header string `json:"header"`
	// Unit is s or ms since 1970, or rfc3339.
	Unit TimestampUnit `json:"unit"`
}

// TimestampUnit says how a time is written.
type TimestampUnit string

// The ways to write a time.
const (
	UnitSeconds      TimestampUnit = "s"
	UnitMilliseconds TimestampUnit = "ms"
	UnitRFC3339      TimestampUnit = "rfc3339"
)

// JWTScheme accepts JSON Web Tokens.
type JWTScheme struct {
	// In is looked at in order. Default: header Authorization with prefix "Bearer ".
	In []Location `json:"in,omitempty"`
	// Forward leaves the token in the request for the upstream.
	Forward bool `json:"forward,omitempty"`
	// Issuers whose tokens count; at least one.
	Issuers []JWTIssuer `json:"issuers"`
	// Types are the values of typ accepted; absent counts as JWT. Default: JWT, at+jwt.
	Types []string `json:"types,omitempty"`
	// Leeway for exp, nbf and iat. Default 30s.
	Leeway *metav1.Duration `json:"leeway,omitempty"`
	// Require lists claims that must be there; exp always must.
	Require []string `json:"require,omitempty"`
	// Claims says where the principal's parts stand.
	Claims ClaimNames `json:"claims,omitempty"`
	// CertificateBound is Off (default), Optional or Required (RFC 8705).
	CertificateBound BindingMode `json:"certificateBound,omitempty"`
}

// BindingMode says whether a token must be bound to the client's certificate.
type BindingMode string

// The binding modes.
const (
	BindingOff      BindingMode = "Off"      // a bound token is refused: its binding is not checked
	BindingOptional BindingMode = "Optional" // a bound token must be shown with its certificate
	BindingRequired BindingMode = "Required" // every token must be bound
)

// JWTIssuer is one issuer, the audiences accepted from it, and its keys.
type JWTIssuer struct {
	// Issuer is compared exactly with the claim iss.
	Issuer string `json:"issuer"`
	// Audiences of which the token must have one.
	Audiences []string `json:"audiences"`
	// Algorithms accepted. Default: RS256, PS256, ES256, EdDSA; with Secret: HS256. HS256, HS384 and HS512 only with
	// Secret, and then no others.
	Algorithms []string `json:"algorithms,omitempty"`
	// JWKS is where the keys are. Default: the issuer's OpenID Connect discovery document.
	JWKS *JWKSSource `json:"jwks,omitempty"`
	// Secret is the HMAC key for HS* algorithms.
	Secret *SecretSource `json:"secret,omitempty"`
}

// JWKSSource is exactly one of URI, Inline and File.
type JWKSSource struct {
	// URI is fetched over https, or plain http from a loopback address.
	URI string `json:"uri,omitempty"`
	// Inline is the JSON text of a JWK Set.
	Inline string `json:"inline,omitempty"`
	// File is a path relative to the resource's file.
	File string `json:"file,omitempty"`
}

// SecretSource is where secret text stands.
type SecretSource struct {
	// File is a path relative to the resource's file; one final newline is dropped.
	File string `json:"file"`
	// Encoding is Text (default) or Base64.
	Encoding SecretEncoding `json:"encoding,omitempty"`
}

// SecretEncoding says how to read a secret's text.
type SecretEncoding string

// The secret encodings.
const (
	SecretText   SecretEncoding = "Text"
	SecretBase64 SecretEncoding = "Base64"
)

// ClaimNames says where a token holds the principal's parts. A nested claim is written with dots.
type ClaimNames struct {
	// Subject defaults to sub.
	Subject string `json:"subject,omitempty"`
	// Scopes are looked at in order; the first that is there counts, a string or an array. Default: scope, scp.
	Scopes []string `json:"scopes,omitempty"`
	// Client defaults to client_id.
	Client string `json:"client,omitempty"`
}
