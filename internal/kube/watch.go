package kube

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// kind is what is watched.
type kind struct {
	name     string
	object   client.Object
	optional bool // the cluster may have it later, or never
}

// kinds returns what to watch.
func (s *Source) kinds() []kind {
	all := []kind{
		{v1alpha1.KindAuthScheme, &v1alpha1.AuthScheme{}, false},
		{v1alpha1.KindAuthPolicy, &v1alpha1.AuthPolicy{}, false},
		{v1alpha1.KindApp, &v1alpha1.App{}, false},
		{v1alpha1.KindSecret, &corev1.Secret{}, false},
	}
	if s.options.GatewayAPI == GatewayAPIDisabled {
		return all
	}
	auto := s.options.GatewayAPI != GatewayAPIEnabled
	return append(all,
		kind{v1alpha1.KindGateway, &gatewayv1.Gateway{}, auto},
		kind{v1alpha1.KindHTTPRoute, &gatewayv1.HTTPRoute{}, auto},
		kind{v1alpha1.KindGRPCRoute, &gatewayv1.GRPCRoute{}, auto},
		kind{"ReferenceGrant", &gatewayv1beta1.ReferenceGrant{}, auto}, // v1 is younger than many clusters
		kind{"Namespace", &corev1.Namespace{}, false},
	)
}

// watchAll begins to watch each kind once the cluster has it. Those that are optional and missing are looked for again
// from time to time, until ctx ends: soon at first, for while a cluster comes up what is missing may only be late, and
// what is missing protects nothing.
func (s *Source) watchAll(ctx context.Context) {
	pending := s.kinds()
	settled := time.Now().Add(s.rediscover)
	for len(pending) > 0 {
		next := s.rediscover
		if time.Now().Before(settled) {
			next = s.rediscoverSoon
		}
		pending = slices.DeleteFunc(pending, func(k kind) bool {
			err := s.watch(ctx, k)
			switch missing := meta.IsNoMatchError(err); {
			case missing && k.optional:
				err = nil
				s.objects.synced(k.name) // so far this is all there is
			case missing:
				err = fmt.Errorf("%w; install the custom resource definitions", err)
			case err == nil:
				s.outages.note(k.name, nil)
				return true
			}
			if s.outages.note(k.name, err); err != nil {
				next = s.retry
			}
			return false
		})
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
	}
}

// watch begins to watch a kind.
func (s *Source) watch(ctx context.Context, k kind) error {
	informer, err := s.cache.GetInformer(ctx, k.object, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	s.objects.expect(k.name)
	registration, err := informer.AddEventHandler(s.objects.handler(k.name))
	if err != nil {
		return err
	}
	s.running.Go(func() {
		select {
		case <-ctx.Done():
		case <-registration.HasSyncedChecker().Done():
			s.objects.synced(k.name)
		}
	})
	return nil
}

// handler takes in the events of a kind.
func (o *objects) handler(kind string) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(now any) { o.put(kind, nil, now.(client.Object)) },
		UpdateFunc: func(before, now any) { o.put(kind, before.(client.Object), now.(client.Object)) },
		DeleteFunc: func(gone any) {
			if unseen, ok := gone.(toolscache.DeletedFinalStateUnknown); ok {
				gone = unseen.Obj
			}
			o.remove(kind, gone.(client.Object))
		},
	}
}
