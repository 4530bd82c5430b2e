package kube

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// mapper knows of Secrets without asking the API server that they are namespaced. A cache wants to know that when it is
// made, and a replica that starts while the API server is away has to wait for it, not to fail.
type mapper struct{ meta.RESTMapper }

func (m mapper) RESTMapping(gk schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if secrets := corev1.SchemeGroupVersion.WithKind("Secret"); gk == secrets.GroupKind() {
		return &meta.RESTMapping{
			Resource: corev1.SchemeGroupVersion.WithResource("secrets"), GroupVersionKind: secrets, Scope: meta.RESTScopeNamespace,
		}, nil
	}
	return m.RESTMapper.RESTMapping(gk, versions...)
}
