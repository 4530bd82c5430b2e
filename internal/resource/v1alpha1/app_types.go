package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// App is who calls: a consumer and its credentials.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=papp,categories=postern
// +kubebuilder:printcolumn:name=Owner,type=string,JSONPath=`.spec.owner`
// +kubebuilder:printcolumn:name=Disabled,type=boolean,JSONPath=`.spec.disabled`
// +kubebuilder:printcolumn:name=Accepted,type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name=Programmed,type=string,JSONPath=`.status.conditions[?(@.type=="Programmed")].status`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type App struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec describes the App.
	Spec AppSpec `json:"spec"`
	// Status says what became of it.
	Status Status `json:"status,omitzero"`
}

// AppSpec describes the App.
type AppSpec struct {
	// DisplayName is for people.
	DisplayName TextLine `json:"displayName,omitempty"`
	// Owner is who answers for the App: a team, a partner.
	Owner TextLine `json:"owner,omitempty"`
	// Disabled refuses every credential of the App.
	Disabled bool `json:"disabled,omitempty"`
	// Scopes are the most that any credential of the App can hold.
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	Scopes []Scope `json:"scopes,omitempty"`
	// Attributes are visible to CEL and identity headers. A name consists of letters, digits, '-', '_' and '.'.
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(name, 0 < name.size() && name.size() <= 64)",message="keep the names of attributes to 64 characters"
	Attributes map[string]string `json:"attributes,omitempty"`
	// Credentials are the keys that the App proves itself with.
	// +kubebuilder:validation:MaxItems=1000
	// +listType=map
	// +listMapKey=name
	Credentials []AppCredential `json:"credentials,omitempty"`
}

// AppCredential holds exactly one of apiKey and signing.
//
// +kubebuilder:validation:XValidation:rule="has(self.apiKey) != has(self.signing)",message="set exactly one of apiKey, signing"
// +kubebuilder:validation:XValidation:rule="!has(self.notBefore) || !has(self.expiresAt) || self.notBefore < self.expiresAt",fieldPath=.expiresAt,message="is not after notBefore: let it expire later, or remove the credential"
type AppCredential struct {
	// Name of the credential; <namespace>/<app>/<name> is its key id in headers, logs and metrics.
	Name DNSLabel `json:"name"`

	// APIKey is the digest of a key that the App sends.
	APIKey *APIKeyCredential `json:"apiKey,omitempty"`
	// Signing is a key that the App signs requests with: exactly one of secretRef and publicKey.
	Signing *SigningCredential `json:"signing,omitempty"`

	// Disabled refuses this credential.
	Disabled bool `json:"disabled,omitempty"`
	// Scopes default to the App's; an empty list grants none. What the App does not have is not granted.
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	Scopes []Scope `json:"scopes,omitzero"`
	// NotBefore is when the credential begins to be good.
	NotBefore *metav1.Time `json:"notBefore,omitempty"`
	// ExpiresAt is when it ceases to be good.
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// Rules about what may be a secret by mistake stand at the object, not at the text: an API server shows the text that a
// pattern or a rule of its own refuses.

// APIKeyCredential is the digest of an API key.
//
// +kubebuilder:validation:XValidation:rule="self.digest.matches('^(sha256|hmac-sha256:[-_.A-Za-z0-9]{1,64}):[0-9a-f]{64}$')",fieldPath=.digest,message="is not a digest: write sha256:<64 hex> or hmac-sha256:<pepper id>:<64 hex>, as `postern keys generate` prints it"
type APIKeyCredential struct {
	// Digest is sha256:<64 hex> or hmac-sha256:<pepper id>:<64 hex>, as `postern keys generate` prints it.
	// +kubebuilder:validation:MaxLength=141
	Digest string `json:"digest"`
}

// SigningCredential is a key that requests are signed with: exactly one of Secret, SecretRef and PublicKey.
//
// +kubebuilder:validation:XValidation:rule="[has(self.secret), has(self.secretRef), has(self.publicKey)].exists_one(s, s)",message="set exactly one of secretRef, publicKey"
// +kubebuilder:validation:XValidation:rule="!has(self.secret)",fieldPath=.secret,message="names a file, and an object of a cluster has none: keep the value in a Secret of this namespace, and name that in secretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.algorithm) || self.algorithm.startsWith('hmac-') != has(self.publicKey)",fieldPath=.algorithm,message="hmac-… verifies with a secret, all others with a public key"
// +kubebuilder:validation:XValidation:rule="!has(self.publicKey) || !self.publicKey.contains('PRIVATE KEY')",fieldPath=.publicKey,message="is a private key: put the public key here, and replace the pair, because its private key has been written down"
type SigningCredential struct {
	// KeyID is what the signature's keyid names.
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[ -~]+$`
	KeyID string `json:"keyId"`
	// Secret is the HMAC key in a file beside the resource's own; in a cluster use secretRef.
	Secret *SecretSource `json:"secret,omitempty"`
	// SecretRef is the HMAC key in a Secret of Kubernetes.
	SecretRef *SecretReference `json:"secretRef,omitempty"`
	// PublicKey is PEM (PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE) or a JWK in JSON.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	PublicKey string `json:"publicKey,omitempty"`
	// Algorithm, if set, is the only one that verifies with this key.
	// +kubebuilder:validation:Enum=ecdsa-p256-sha256;ecdsa-p384-sha384;ecdsa-sha256;ed25519;hmac-sha1;hmac-sha256;hmac-sha384;hmac-sha512;rsa-pss-sha512;rsa-sha1;rsa-sha256;rsa-sha512;rsa-v1_5-sha256
	Algorithm string `json:"algorithm,omitempty"`
}
