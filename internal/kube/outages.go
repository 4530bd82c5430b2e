package kube

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// outages knows what cannot be asked of the API server at the moment.
type outages struct {
	// report is called when the first thing fails, and with nil when nothing does any more. What is forbidden stays so
	// until somebody allows it: each such thing is reported.
	report func(error)

	mu      sync.Mutex
	failing map[any]bool // by who asks: whether it is forbidden
}

func newOutages(report func(error)) *outages {
	return &outages{report: report, failing: map[any]bool{}}
}

// note takes in how asking went.
func (o *outages) note(who any, err error) {
	if err != nil && apierrors.IsResourceExpired(err) {
		return // a watch that begins anew
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	failed, told := len(o.failing) > 0, o.failing[who]
	forbidden := apierrors.IsForbidden(err)
	switch {
	case err != nil:
		o.failing[who] = forbidden
		if forbidden {
			err = fmt.Errorf("%w; allow it to list and watch them, as the chart's role does", err)
		}
		if !failed || forbidden && !told {
			o.report(err)
		}
	case failed:
		if delete(o.failing, who); len(o.failing) == 0 {
			o.report(nil)
		}
	}
}

// observe returns a ListerWatcher whose outages are noted, and that lists instead of streaming.
func (o *outages) observe(lw cache.ListerWatcher) cache.ListerWatcher {
	inner := cache.ToListerWatcherWithContext(lw)
	note := func(ctx context.Context, err error) {
		if ctx.Err() == nil { // else it is given up on purpose
			o.note(lw, err)
		}
	}
	return &lister{cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			list, err := inner.ListWithContext(ctx, upToDate(options))
			note(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			events, err := inner.WatchWithContext(ctx, options)
			note(ctx, err)
			return events, err
		},
	}}
}
