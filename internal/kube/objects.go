package kube

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/postern-auth/postern/internal/kube/attach"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/source"
)

// objects is what the cluster holds, as far as events have told.
type objects struct {
	changed  func()        // called when there is reason for a new snapshot
	complete chan struct{} // closed when everything has been told once

	mu       sync.Mutex
	waiting  map[string]bool // kinds of which not everything that there was has been told
	resource map[source.Key]resource
	good     source.LastGood
	gateway  map[source.Key]client.Object // what attaching policies depends on beside the policies
	attached bool                         // nothing that it depends on has changed since the last layout
	dirty    bool                         // a resource has
}

// resource is an AuthScheme, AuthPolicy, App or Secret.
type resource struct {
	document v1alpha1.Document // settled

	uid        types.UID
	generation int64
	version    string
}

// newObjects waits for the kinds.
func newObjects(kinds []kind, changed func()) *objects {
	o := &objects{
		changed: changed, complete: make(chan struct{}), waiting: make(map[string]bool, len(kinds)),
		resource: map[source.Key]resource{}, good: source.LastGood{}, gateway: map[source.Key]client.Object{},
	}
	for _, k := range kinds {
		o.waiting[k.name] = true
	}
	return o
}

// expect says that everything there is of a kind is going to be told.
func (o *objects) expect(kind string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting[kind] = true
}

// synced says that it has been.
func (o *objects) synced(kind string) {
	o.mu.Lock()
	if !o.waiting[kind] {
		o.mu.Unlock()
		return
	}
	delete(o.waiting, kind)
	o.attached = false
	select {
	case <-o.complete:
	default:
		if len(o.waiting) == 0 {
			close(o.complete)
		}
	}
	o.mu.Unlock()
	o.changed()
}

// put takes in an object that is new, or was another before.
func (o *objects) put(kind string, before, now client.Object) {
	key := keyOf(kind, now)
	if before != nil && same(before, now) {
		o.touch(key, now)
		return
	}
	document := read(now)
	o.mu.Lock()
	if document == nil {
		o.gateway[key], o.attached = now, false
	} else {
		held := o.policy(key)
		if o.resource[key].uid != now.GetUID() {
			delete(o.good, key) // that was another object
		}
		o.resource[key] = resource{o.good.Settle(*document), now.GetUID(), now.GetGeneration(), now.GetResourceVersion()}
		o.attached = o.attached && attachedAlike(held, o.policy(key))
		o.dirty = true
	}
	o.mu.Unlock()
	o.changed()
}

// touch notes the version of an object that says what it said before: its status was written, for instance.
func (o *objects) touch(key source.Key, now client.Object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r, ok := o.resource[key]; ok {
		r.version = now.GetResourceVersion()
		o.resource[key] = r
	}
}

// remove forgets an object, and what it was.
func (o *objects) remove(kind string, gone client.Object) {
	key := keyOf(kind, gone)
	o.mu.Lock()
	_, isGateway := o.gateway[key]
	o.attached = o.attached && !isGateway && o.policy(key) == nil
	o.dirty = o.dirty || !isGateway
	delete(o.gateway, key)
	delete(o.resource, key)
	delete(o.good, key)
	o.mu.Unlock()
	o.changed()
}

func keyOf(kind string, o client.Object) source.Key {
	return source.Key{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()}
}

// same reports whether two versions of an object differ at most in what nobody decides by. What has a status counts its
// generations, and little of the status is looked at; the others are compared.
func same(a, b client.Object) bool {
	if a.GetUID() != b.GetUID() || a.GetGeneration() != b.GetGeneration() ||
		!maps.Equal(a.GetLabels(), b.GetLabels()) || !maps.Equal(a.GetAnnotations(), b.GetAnnotations()) ||
		!attach.SameVerdicts(a, b) {
		return false
	}
	x, isSecret := a.(*corev1.Secret)
	y, _ := b.(*corev1.Secret)
	return !isSecret || reflect.DeepEqual(x.Data, y.Data)
}

// read makes the document of an object, nil if it is none of Postern's. The object, which is the cache's, stays as it is.
func read(o client.Object) *v1alpha1.Document {
	var d v1alpha1.Document
	switch o := o.(type) {
	case *v1alpha1.AuthScheme:
		d = v1alpha1.NewDocument(&v1alpha1.AuthScheme{TypeMeta: o.TypeMeta, ObjectMeta: o.ObjectMeta, Spec: *o.Spec.DeepCopy()})
	case *v1alpha1.AuthPolicy:
		d = v1alpha1.NewDocument(&v1alpha1.AuthPolicy{TypeMeta: o.TypeMeta, ObjectMeta: o.ObjectMeta, Spec: *o.Spec.DeepCopy()})
	case *v1alpha1.App:
		d = v1alpha1.NewDocument(&v1alpha1.App{TypeMeta: o.TypeMeta, ObjectMeta: o.ObjectMeta, Spec: *o.Spec.DeepCopy()})
	case *corev1.Secret:
		d = v1alpha1.NewDocument(secret(o))
	default:
		return nil
	}
	return &d
}

func secret(o *corev1.Secret) *v1alpha1.Secret {
	s := &v1alpha1.Secret{ObjectMeta: o.ObjectMeta, StringData: make(map[string]string, len(o.Data))}
	s.APIVersion, s.Kind = "v1", v1alpha1.KindSecret
	for key, value := range o.Data {
		s.StringData[key] = string(value)
	}
	return s
}

// policy returns what of a policy is attached to its targets: the last good version, if it is in error. It returns nil
// if there is nothing.
func (o *objects) policy(key source.Key) *v1alpha1.AuthPolicy {
	d := o.resource[key].document
	if good, ok := o.good[key]; ok {
		d = good
	}
	if d.Policy == nil || len(d.Policy.Spec.TargetRefs) == 0 {
		return nil
	}
	return d.Policy
}

// attachedAlike reports whether two versions of a policy, or its absence, are attached to the same, and in the same order
// among others.
func attachedAlike(a, b *v1alpha1.AuthPolicy) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.CreationTimestamp.Equal(&b.CreationTimestamp) && slices.Equal(a.Spec.TargetRefs, b.Spec.TargetRefs)
}

// compareKeys orders by kind, namespace and name.
func compareKeys(a, b source.Key) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[source.Key]V) []source.Key {
	return slices.SortedFunc(maps.Keys(m), compareKeys)
}
