package kube

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// TestListedOnceAndUpToDate: what there is at the start is asked for as one list of now, not of what the API server
// happens to have cached, and the stream after it begins where the list ends.
func TestListedOnceAndUpToDate(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lists, watches := make(chan metav1.ListOptions, 100), make(chan metav1.ListOptions, 100)
	informer := cache.NewSharedIndexInformer(newOutages(func(error) {}).observe(&cache.ListWatch{
		ListWithContextFunc: func(_ context.Context, o metav1.ListOptions) (runtime.Object, error) {
			lists <- o
			return &corev1.SecretList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}, nil
		},
		WatchFuncWithContext: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
			watches <- o
			return watch.NewFake(), nil
		},
	}), &corev1.Secret{}, 0, nil)
	go informer.RunWithContext(ctx)
	var list, stream metav1.ListOptions
	for _, c := range []struct {
		from <-chan metav1.ListOptions
		to   *metav1.ListOptions
	}{{lists, &list}, {watches, &stream}} {
		select {
		case *c.to = <-c.from:
		case <-ctx.Done():
			t.Fatal("nobody asks")
		}
	}
	if list.ResourceVersion != "" || list.ResourceVersionMatch != "" || list.Limit != 0 {
		t.Errorf("the list is of version %q (%s), %d at a time", list.ResourceVersion, list.ResourceVersionMatch, list.Limit)
	}
	if stream.ResourceVersion != "7" || stream.SendInitialEvents != nil {
		t.Errorf("the stream begins at version %q, and with what there is: %v", stream.ResourceVersion, stream.SendInitialEvents)
	}
}
