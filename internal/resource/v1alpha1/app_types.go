package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// App is who calls: a consumer and its credentials.
//
// +kubebuilder:object:root=true
type App struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   AppSpec `json:"spec"`
	Status Status  `json:"status,omitzero"`
}

// AppSpec describes the App.
type AppSpec struct {
	DisplayName string `json:"displayName,omitempty"`
	Owner       string `json:"owner,omitempty"`
	// Disabled refuses every credential of the App.
	Disabled bool `json:"disabled,omitempty"`
	// Scopes are the most that any credential of the App can hold.
	Scopes []string `json:"scopes,omitempty"`
	// Attributes are visible to CEL and identity headers.
	Attributes  map[string]string `json:"attributes,omitempty"`
	Credentials []AppCredential   `json:"credentials,omitempty"`
}

// AppCredential holds exactly one of APIKey and Signing.
type AppCredential struct {
	Name string `json:"name"`

	APIKey  *APIKeyCredential  `json:"apiKey,omitempty"`
	Signing *SigningCredential `json:"signing,omitempty"`

	// Disabled refuses this credential.
	Disabled bool `json:"disabled,omitempty"`
	// Scopes default to the App's; an empty list grants none. What the App does not have is not granted.
	Scopes []string `json:"scopes,omitzero"`
	// NotBefore and ExpiresAt bound when the credential is good: from the first, until before the second.
	NotBefore *metav1.Time `json:"notBefore,omitempty"`
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// APIKeyCredential is the digest of an API key.
type APIKeyCredential struct {
	// Digest is sha256:<64 hex> or hmac-sha256:<pepper id>:<64 hex>, as `postern keys generate` prints it.
	Digest string `json:"digest"`
}

// SigningCredential is a key that requests are signed with: exactly one of Secret, SecretRef and PublicKey.
type SigningCredential struct {
	// KeyID is what the signature's keyid names.
	KeyID string `json:"keyId"`
	// Secret is the HMAC key.
	Secret *SecretSource `json:"secret,omitempty"`
	// SecretRef is the HMAC key in a Secret of Kubernetes.
	SecretRef *SecretReference `json:"secretRef,omitempty"`
	// PublicKey is PEM (PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE) or a JWK in JSON.
	PublicKey string `json:"publicKey,omitempty"`
	// Algorithm, if set, is the only one that verifies with this key.
	Algorithm string `json:"algorithm,omitempty"`
}
