package kube

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// lister has what there is read as a list, and only changes from then on as a stream. In a stream each object is a message
// of its own, whose JSON client-go reads twice as often; with thousands of objects that is most of what a start takes.
type lister struct {
	cache.ListWatch
}

// IsWatchListSemanticsUnSupported is what client-go's reflectors ask before they stream
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists).
func (*lister) IsWatchListSemanticsUnSupported() bool { return true }

// upToDate returns options that list what there is now, in one piece: since Kubernetes 1.31 the API server serves that from
// its cache as well. Reflectors would begin with whatever is cached ("0"), which may be older than the deletion of a key.
func upToDate(options metav1.ListOptions) metav1.ListOptions {
	if options.ResourceVersion == "0" {
		options.ResourceVersion, options.Limit = "", 0
	}
	return options
}
