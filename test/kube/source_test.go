package kube

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

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
	delivered chan source.Snapshot
	seen      []source.Snapshot
	outages   chan error
}

// watch watches the cluster until the test ends.
func watch(t *testing.T, c *harness.Cluster, configure ...func(*kube.Options)) *watched {
	t.Helper()
	others := goleak.IgnoreCurrent()
	w := &watched{t: t, cluster: c, delivered: make(chan source.Snapshot, 1000), outages: make(chan error, 100)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	w.ctx = ctx
	options := kube.Options{
		Kubeconfig: c.Kubeconfig, Hasher: keystore.NewHasher(), Log: slog.New(slog.DiscardHandler),
		Pod: kube.Pod{Namespace: "default"}, Report: func(err error) { w.outages <- err },
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
		goleak.VerifyNone(t, others, // processes that the test has started since
			goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"), goleak.IgnoreAnyFunction("os/exec.(*Cmd).Start.func2"))
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
		case snap := <-w.delivered:
			w.seen = append(w.seen, snap)
		case <-w.ctx.Done():
			w.t.Fatalf("the last snapshot shows %v, want %v", objects(w.last(), namespace), want)
		}
		if slices.Equal(objects(w.last(), namespace), want) {
			return
		}
	}
}

// last is the newest snapshot that was looked at.
func (w *watched) last() source.Snapshot {
	if len(w.seen) == 0 {
		return source.Snapshot{}
	}
	return w.seen[len(w.seen)-1]
}

// find returns the document of an object in the newest snapshot.
func (w *watched) find(kind, namespace, name string) v1alpha1.Document {
	w.t.Helper()
	docs := w.last().Documents
	i := slices.IndexFunc(docs, func(d v1alpha1.Document) bool {
		return source.KeyOf(&d) == source.Key{Kind: kind, Namespace: namespace, Name: name}
	})
	if i < 0 {
		w.t.Fatalf("there is no %s %s/%s", kind, namespace, name)
	}
	return docs[i]
}

// objects lists a snapshot's objects of a namespace as Kind/name, with ! where there is an error, and with the owner of
// Apps.
func objects(s source.Snapshot, namespace string) []string {
	var list []string
	for _, d := range s.Documents {
		if d.Namespace != namespace {
			continue
		}
		text := d.Kind + "/" + d.Name
		if d.App != nil {
			text += "=" + d.App.Read().Spec.Owner
		}
		if d.Err != nil {
			text += "!"
		}
		list = append(list, text)
	}
	return list
}

// outage waits until it is noticed that one has begun, and returns what is said of it, or that all have ended.
func (w *watched) outage(begins bool) error {
	w.t.Helper()
	for {
		select {
		case err := <-w.outages:
			if (err != nil) == begins {
				return err
			}
		case <-w.ctx.Done():
			w.t.Fatal("nobody noticed")
		}
	}
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

// TestApplied: what is applied appears, what is changed changes, what is deleted goes, and all else stays what it was.
func TestApplied(t *testing.T) {
	w := watch(t, world.cluster)
	w.kubectl("create", "namespace", "applied")
	w.apply(app("applied", "a", "v1"))
	w.await("applied", "App/a=v1")
	w.apply(app("applied", "a", "v2") + "---\n" + app("applied", "b", "v1"))
	w.await("applied", "App/a=v2", "App/b=v1")
	b := w.find(v1alpha1.KindApp, "applied", "b").App
	w.kubectl("delete", "app", "a", "-n", "applied")
	w.await("applied", "App/b=v1")
	if w.find(v1alpha1.KindApp, "applied", "b").App != b {
		t.Error("an object that has not changed is another one")
	}
}

// TestStatusMakesNoSnapshot: statuses are written, by this very source, and no snapshot is made for them.
func TestStatusMakesNoSnapshot(t *testing.T) {
	w := watch(t, world.cluster)
	w.kubectl("create", "namespace", "statuses")
	w.apply(app("statuses", "a", "v1"))
	w.await("statuses", "App/a=v1")
	w.kubectl("wait", "app/a", "-n", "statuses", "--for=condition=Accepted", "--timeout=60s")
	w.apply(app("statuses", "b", "v1"))
	w.await("statuses", "App/a=v1", "App/b=v1")
	same := func(a, b v1alpha1.Document) bool {
		return a.Scheme == b.Scheme && a.Policy == b.Policy && a.App == b.App && a.Secret == b.Secret
	}
	for i := 1; i < len(w.seen); i++ {
		if slices.EqualFunc(w.seen[i-1].Documents, w.seen[i].Documents, same) {
			t.Errorf("snapshots %d and %d hold the same", w.seen[i-1].Generation, w.seen[i].Generation)
		}
	}
}

// TestOnlyNamespacesWatched: what is elsewhere is not seen.
func TestOnlyNamespacesWatched(t *testing.T) {
	w := watch(t, world.cluster, func(o *kube.Options) { o.Namespaces = []string{"within", "too"} })
	for _, name := range []string{"without", "within", "too"} {
		w.kubectl("create", "namespace", name)
		w.apply(app(name, "a", "v1"))
	}
	w.await("within", "App/a=v1")
	w.await("too", "App/a=v1")
	if got := objects(w.last(), "without"); got != nil {
		t.Errorf("it shows %v", got)
	}
}

// TestOnlyLabelledSecrets: a Secret is seen while it is labelled.
func TestOnlyLabelledSecrets(t *testing.T) {
	w := watch(t, world.cluster)
	w.kubectl("create", "namespace", "labelled")
	w.kubectl("create", "secret", "generic", "a", "-n", "labelled", "--from-literal", "key=text")
	w.apply(app("labelled", "a", "v1"))
	w.await("labelled", "App/a=v1")
	w.kubectl("label", "secret", "a", "-n", "labelled", "postern.dev/credential=signing")
	w.await("labelled", "App/a=v1", "Secret/a")
	if got := w.find(v1alpha1.KindSecret, "labelled", "a").Secret.StringData["key"]; got != "text" {
		t.Errorf("its value is %q", got)
	}
	w.kubectl("label", "secret", "a", "-n", "labelled", "postern.dev/credential-")
	w.await("labelled", "App/a=v1")
}

// TestBrokenKeepsLastGood: what the API server lets pass and Postern does not is an error of that object, which keeps
// its last good version.
func TestBrokenKeepsLastGood(t *testing.T) {
	w := watch(t, world.cluster)
	w.kubectl("create", "namespace", "broken")
	w.apply(app("broken", "a", "v1") + "---\n" + app("broken", "b", "v1"))
	w.await("broken", "App/a=v1", "App/b=v1")
	w.apply(strings.Replace(app("broken", "a", "v2"), "owner: v2", "owner: v2, attributes: {a b: c}", 1))
	w.await("broken", "App/a=v1!", "App/b=v1")
	const want = `App broken/a: spec.attributes["a b"]: the name is not an attribute's`
	if err := w.find(v1alpha1.KindApp, "broken", "a").Err; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	w.apply(app("broken", "a", "v3"))
	w.await("broken", "App/a=v3", "App/b=v1")
}

// TestAPIServerGone: while it is away nothing changes; afterwards everything that happened meanwhile is seen.
func TestAPIServerGone(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := ownCluster(ctx, t)
	must(t, c.InstallDefinitions(ctx))
	w := watch(t, c)
	w.apply(app("default", "a", "v1"))
	w.await("default", "App/a=v1")
	c.APIServer.Kill()
	_ = w.outage(true)
	for len(w.delivered) > 0 {
		t.Errorf("a snapshot of a cluster that is gone: %v", <-w.delivered)
	}
	must(t, c.RestartAPIServer(ctx))
	w.apply(app("default", "a", "v2"))
	w.await("default", "App/a=v2")
	_ = w.outage(false)
}
