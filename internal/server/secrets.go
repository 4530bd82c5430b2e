package server

import (
	"crypto/sha256"
	"fmt"
	"iter"

	"k8s.io/apimachinery/pkg/types"

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

	uid types.UID         // of the Secret
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
	r.list = append(r.list, r.all.now(k))
	return r.all.read(k)
}

// now returns the value as it is.
func (all secrets) now(k secretKey) readSecret {
	value, _ := all.read(k)
	read := readSecret{secretKey: k, sum: sha256.Sum256(value)}
	if doc := all[k.namespace+"/"+k.name]; doc != nil {
		read.uid = doc.UID
	}
	return read
}

// of returns the values that signing credentials of an App are made of, by credential.
func (all secrets) of(app *v1alpha1.App) map[string]readSecret {
	var values map[string]readSecret
	for i := range app.Spec.Credentials {
		c := &app.Spec.Credentials[i]
		if c.Signing == nil || c.Signing.SecretRef == nil {
			continue
		}
		if values == nil {
			values = make(map[string]readSecret)
		}
		values[c.Name] = all.now(secretKey{app.Namespace, c.Signing.SecretRef.Name, c.Signing.SecretRef.Key})
	}
	return values
}

// unchanged reports whether all the values are still what they were.
func (all secrets) unchanged(values iter.Seq[readSecret]) bool {
	for was := range values {
		if all.now(was.secretKey) != was {
			return false
		}
	}
	return true
}

// gone reports whether a value was taken away: its Secret, or it from its Secret. In a cluster somebody has done that
// on purpose; in files it may be about to appear again.
func (all secrets) gone(was readSecret) bool {
	if was.uid == "" {
		return false
	}
	doc := all[was.namespace+"/"+was.name]
	if doc == nil || doc.UID != was.uid {
		return true
	}
	_, ok := doc.Secret.Value(was.key)
	return !ok
}
