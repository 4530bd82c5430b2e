package kube

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/kube"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/source"
	"github.com/postern-auth/postern/test/harness"
)

// watched is a running Source and the snapshots that it delivered.
type watched struct {
	t         *testing.T
	ctx       context.Context
	cluster   *harness.Cluster
	client    client.Client
	delivered chan source.Snapshot
	last      source.Snapshot
	outages   chan error
}

// watch watches the cluster until the test ends.
func watch(t *testing.T, c *harness.Cluster, configure ...func(*kube.Options)) *watched {
	t.Helper()
	w := &watched{t: t, cluster: c, delivered: make(chan source.Snapshot, 1000), outages: make(chan error, 100)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	w.ctx = ctx
	scheme := runtime.NewScheme()
	must(t, v1alpha1.AddToScheme(scheme))
	var err error
	w.client, err = client.New(c.RESTConfig(), client.Options{Scheme: scheme})
	must(t, err)
	options := kube.Options{
		Kubeconfig: c.Kubeconfig, Hasher: keystore.NewHasher(), Log: slog.New(slog.DiscardHandler),
		Report: func(err error) { w.outages <- err },
	}
	for _, f := range configure {
		f(&options)
	}
	s, err := kube.New(options)
	must(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		err := s.Run(ctx, func(snap source.Snapshot) {
			w.delivered <- snap
			s.Loaded(source.Result{Generation: snap.Generation})
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await waits for a snapshot that shows the objects of the namespace.
func (w *watched) await(namespace string, want ...string) {
	w.t.Helper()
	for {
		select {
		case w.last = <-w.delivered:
		case <-w.ctx.Done():
			w.t.Fatalf("the last snapshot shows %v, want %v", objects(w.last, namespace), want)
		}
		if slices.Equal(objects(w.last, namespace), want) {
			return
		}
	}
}

// objects lists a snapshot's objects of a namespace as Kind/name, with ! where there is an error, and with the owner of Apps.
func objects(s source.Snapshot, namespace string) []string {
	var list []string
	for _, d := range s.Documents {
		if d.Namespace != namespace {
			continue
		}
		text := d.Kind + "/" + d.Name
		if d.App != nil {
			text += "=" + d.App.Spec.Owner
		}
		if d.Err != nil {
			text += "!"
		}
		list = append(list, text)
	}
	return list
}

func (w *watched) apply(manifest string) {
	w.t.Helper()
	must(w.t, w.cluster.Apply(w.ctx, manifest))
}

func (w *watched) kubectl(args ...string) {
	w.t.Helper()
	_, err := w.cluster.Kubectl(w.ctx, args...)
	must(w.t, err)
}

func app(namespace, name, owner string) string {
	return fmt.Sprintf("apiVersion: postern.dev/v1alpha1\nkind: App\nmetadata: {name: %s, namespace: %s}\nspec: {owner: %s}\n", name, namespace, owner)
}

// TestApplied: what is applied appears, what is changed changes, what is deleted goes.
func TestApplied(t *testing.T) {
	w := watch(t, world.cluster)
	w.kubectl("create", "namespace", "applied")
	w.apply(app("applied", "a", "v1"))
	w.await("applied", "App/a=v1")
	w.apply(app("applied", "a", "v2") + "---\n" + app("applied", "b", "v1"))
	w.await("applied", "App/a=v2", "App/b=v1")
	w.kubectl("delete", "app", "a", "-n", "applied")
	w.await("applied", "App/b=v1")
}
