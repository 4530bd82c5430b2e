package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/kube"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/source"
	"github.com/postern-auth/postern/test/harness"
)

// statuses is a namespace whose statuses are written by replicas that watch nothing else.
type statuses struct {
	t         *testing.T
	ctx       context.Context
	cluster   *harness.Cluster
	namespace string
	system    string // the namespace of the replicas
	prefix    string // of their Leases; empty: the default
	config    string // their kubeconfig
	client    client.WithWatch
	log       harness.Output // of all replicas
	outages   chan error     // as they are reported
}

func newStatuses(t *testing.T, c *harness.Cluster, namespace string) *statuses {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	s := &statuses{t: t, ctx: ctx, cluster: c, namespace: namespace, system: namespace, config: c.Kubeconfig, outages: make(chan error, 100)}
	scheme := runtime.NewScheme()
	must(t, clientgoscheme.AddToScheme(scheme))
	must(t, gatewayv1.Install(scheme))
	must(t, v1alpha1.AddToScheme(scheme))
	var err error
	s.client, err = client.NewWithWatch(c.RESTConfig(), client.Options{Scheme: scheme})
	must(t, err)
	s.kubectl("create", "namespace", namespace)
	return s
}

// statusReplica is a replica that puts in force what it is told, unless it is held.
type statusReplica struct {
	source *kube.Source
	stop   func()

	mu      sync.Mutex // held: nothing is put in force
	running sync.WaitGroup
}

func (s *statuses) start(name string) *statusReplica {
	s.t.Helper()
	r := &statusReplica{}
	var err error
	r.source, err = kube.New(kube.Options{
		Kubeconfig: s.config, Namespaces: []string{s.namespace}, GatewayAPI: kube.GatewayAPIEnabled,
		Pod: kube.Pod{Namespace: s.system, Name: name}, LeasePrefix: s.prefix,
		Hasher: keystore.NewHasher(), Log: slog.New(slog.NewTextHandler(&s.log, nil)),
		Report: func(err error) { s.outages <- err },
	})
	must(s.t, err)
	ctx, cancel := context.WithCancel(s.ctx)
	r.running.Go(func() {
		err := r.source.Run(ctx, func(snap source.Snapshot) {
			r.mu.Lock()
			defer r.mu.Unlock()
			result := source.Result{Generation: snap.Generation}
			for _, d := range snap.Documents {
				if errs, bad := errors.AsType[v1alpha1.Errors](d.Err); bad {
					result.Errors = append(result.Errors, errs...)
				}
			}
			r.source.Loaded(result)
		})
		if err != nil {
			s.t.Error(err)
		}
	})
	r.stop = func() {
		cancel()
		r.running.Wait()
	}
	s.t.Cleanup(r.stop)
	return r
}

func (s *statuses) apply(format string, args ...any) {
	s.t.Helper()
	must(s.t, s.cluster.Apply(s.ctx, fmt.Sprintf(format, args...)))
}

func (s *statuses) kubectl(args ...string) string {
	s.t.Helper()
	out, err := s.cluster.Kubectl(s.ctx, append(args, "--namespace", s.namespace)...)
	must(s.t, err)
	return out
}

// await waits until the object shows what is wanted.
func (s *statuses) await(list client.ObjectList, name string, show func(client.Object) []string, want ...string) client.Object {
	s.t.Helper()
	events, err := s.client.Watch(s.ctx, list, client.InNamespace(s.namespace), client.MatchingFields{"metadata.name": name})
	must(s.t, err)
	defer events.Stop()
	var last []string
	for {
		select {
		case <-s.ctx.Done():
			s.t.Fatalf("%s shows\n%s\nwant\n%s", name, strings.Join(last, "\n"), strings.Join(want, "\n"))
		case e, open := <-events.ResultChan():
			if !open || e.Type == apiwatch.Error {
				s.t.Fatalf("the watch of %s has ended: %v", name, e.Object)
			}
			o := e.Object.(client.Object)
			if last = show(o); slices.Equal(last, want) {
				return o
			}
		}
	}
}

// policy waits for what a policy's conditions and ancestors say: "Accepted=True Accepted 1: message".
func (s *statuses) policy(name string, want ...string) client.Object {
	s.t.Helper()
	return s.await(&v1alpha1.AuthPolicyList{}, name, func(o client.Object) []string {
		p := o.(*v1alpha1.AuthPolicy)
		var list []string
		for _, c := range p.Status.Conditions {
			list = append(list, fmt.Sprintf("%s=%s %s %d: %s", c.Type, c.Status, c.Reason, c.ObservedGeneration, c.Message))
		}
		for _, a := range p.Status.Ancestors {
			for _, c := range a.Conditions {
				list = append(list, fmt.Sprintf("%s/%s: %s=%s %s", a.AncestorRef.Kind, a.AncestorRef.Name, c.Type, c.Status, c.Reason))
			}
		}
		return list
	}, want...)
}

// events lists what was announced of an object, and how often: "Warning Invalid 1".
func (s *statuses) events(name string) []string {
	s.t.Helper()
	var all eventsv1.EventList
	must(s.t, s.client.List(s.ctx, &all, client.InNamespace(s.namespace)))
	count := map[string]int{}
	for _, e := range all.Items {
		if e.Regarding.Name == name {
			if e.ReportingController != v1alpha1.ControllerName {
				s.t.Errorf("an event of %s", e.ReportingController)
			}
			count[e.Type+" "+e.Reason]++
			if e.Series != nil {
				count[e.Type+" "+e.Reason] += int(e.Series.Count) - 1
			}
		}
	}
	var list []string
	for what, n := range count {
		list = append(list, fmt.Sprint(what, " ", n))
	}
	slices.Sort(list)
	return list
}

// announced waits until these Events are there, and no others.
func (s *statuses) announced(name string, want ...string) {
	s.t.Helper()
	events, err := s.client.Watch(s.ctx, &eventsv1.EventList{}, client.InNamespace(s.namespace))
	must(s.t, err)
	defer events.Stop()
	for {
		got := s.events(name)
		if slices.Equal(got, want) {
			return
		}
		select {
		case <-events.ResultChan():
		case <-s.ctx.Done():
			s.t.Fatalf("events of %s: %q, want %q", name, got, want)
		}
	}
}

// lease waits for a Lease.
func (s *statuses) lease(name string) {
	s.t.Helper()
	s.kubectl("wait", "--for", "create", "lease/"+name, "--timeout", patience.String())
}
