package server

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/postern-auth/postern/internal/keystore/kube"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// secrets are the documents of a snapshot that hold Secrets, by "namespace/name".
type secrets map[string]*v1alpha1.Document

func newSecrets(docs []*v1alpha1.Document) secrets {
	all := make(secrets, len(docs))
	for _, doc := range docs {
		if doc.Secret != nil {
			all[doc.Namespace+"/"+doc.Name] = doc
		}
	}
	return all
}

// apiKeys returns those that are API keys.
func (all secrets) apiKeys() []*v1alpha1.Document {
	var keys []*v1alpha1.Document
	for _, doc := range all {
		if kube.IsAPIKey(doc.Secret.Labels) {
			keys = append(keys, doc)
		}
	}
	return keys
}

// secretKey names a value of a Secret.
type secretKey struct{ namespace, name, key string }

// readSecret is a value as it was when a resource that names it was compiled.
type readSecret struct {
	secretKey

	sum [sha256.Size]byte // of nothing if it could not be read
}

func (all secrets) read(k secretKey) ([]byte, error) {
	doc := all[k.namespace+"/"+k.name]
	if doc == nil {
		return nil, fmt.Errorf("there is no usable Secret %s/%s", k.namespace, k.name)
	}
	if kube.IsAPIKey(doc.Secret.Labels) {
		return nil, fmt.Errorf("the Secret %s/%s is an API key, of which only the digest is known", k.namespace, k.name)
	}
	value, ok := doc.Secret.Value(k.key)
	if !ok {
		return nil, fmt.Errorf("the Secret %s/%s has no value %q", k.namespace, k.name, k.key)
	}
	return value, nil
}

// secretReader reads the Secrets that one resource names, in the resource's own namespace, and notes which.
type secretReader struct {
	all       secrets
	namespace string
	list      []readSecret
}

func (r *secretReader) read(name, key string) ([]byte, error) {
	k := secretKey{r.namespace, name, key}
	value, err := r.all.read(k)
	r.list = append(r.list, readSecret{k, sha256.Sum256(value)})
	return value, err
}

// unchanged reports whether all the values are still what they were.
func (all secrets) unchanged(list []readSecret) bool {
	return !slices.ContainsFunc(list, func(r readSecret) bool {
		value, _ := all.read(r.secretKey)
		return sha256.Sum256(value) != r.sum
	})
}
