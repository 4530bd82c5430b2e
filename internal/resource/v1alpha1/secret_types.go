package v1alpha1

import (
	"encoding/base64"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KindSecret is Kubernetes' own kind, of apiVersion v1, which signing credentials may refer to.
const KindSecret = "Secret"

// ObjectMeta is Kubernetes' own. By this name controller-gen does not take Secret for a kind that is to be defined.
type ObjectMeta = metav1.ObjectMeta

// Secret is a Secret of Kubernetes, as a manifest beside the resources.
type Secret struct {
	metav1.TypeMeta `json:",inline"`
	ObjectMeta      `json:"metadata,omitempty"`

	Type      string `json:"type,omitempty"`
	Immutable bool   `json:"immutable,omitempty"`
	// Data holds values in standard base64.
	Data map[string]string `json:"data,omitempty"`
	// StringData holds values as text; they count more than those in Data.
	StringData map[string]string `json:"stringData,omitempty"`
}

// SecretSource is where secret text stands.
type SecretSource struct {
	// File is a path relative to the resource's file; one final newline is dropped.
	// +kubebuilder:validation:MaxLength=1024
	File string `json:"file"`
	// Encoding is Text (default) or Base64.
	// +kubebuilder:default=Text
	Encoding SecretEncoding `json:"encoding,omitempty"`
}

// SecretEncoding says how to read a secret's text.
//
// +kubebuilder:validation:Enum=Text;Base64
type SecretEncoding string

// The secret encodings.
const (
	SecretText   SecretEncoding = "Text"
	SecretBase64 SecretEncoding = "Base64"
)

// SecretReference names one value of a Secret in the namespace of the object that refers to it.
type SecretReference struct {
	// Name of the Secret. In a cluster it must carry the label postern.dev/credential, whatever its value.
	Name DNSName `json:"name"`
	// Key of the value in the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
	// Encoding of the value, once Kubernetes' own base64 is taken off, is Text (default) or Base64.
	// +kubebuilder:default=Text
	Encoding SecretEncoding `json:"encoding,omitempty"`
}

// Value returns the value of a key; false if there is none.
func (s *Secret) Value(key string) ([]byte, bool) {
	if text, ok := s.StringData[key]; ok {
		return []byte(text), true
	}
	text, ok := s.Data[key]
	if !ok {
		return nil, false
	}
	value, err := base64.StdEncoding.DecodeString(text)
	return value, err == nil
}

// SetDefaults fills in the namespace.
func (s *Secret) SetDefaults() { defaultNamespace(&s.ObjectMeta) }

// Validate checks the names, and that Data is base64. No message repeats a value.
func (s *Secret) Validate() Errors {
	c := &checker{kind: KindSecret, meta: &s.ObjectMeta}
	if s.APIVersion != "v1" {
		c.errorf("apiVersion", "write v1", "%s is not the version of this kind", quote(s.APIVersion))
	}
	c.metadata()
	for key, text := range sorted(s.Data) {
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			c.errorf(path("data").dot(key), "encode it, or write it under stringData", "is not base64")
		}
	}
	return c.errs
}

// secretReference checks what refers to a Secret. Whether there is one is found out by whoever reads it.
func (c *checker) secretReference(at path, r *SecretReference) {
	if !isDNSName(r.Name) {
		c.errorf(at.dot("name"), nameRemedy, "%s is not a Secret's name", quote(r.Name))
	}
	c.length(at.dot("key"), r.Key, 253)
	oneWord(c, at.dot("encoding"), r.Encoding, SecretText, SecretBase64)
}
