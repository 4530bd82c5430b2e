package cached

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("connection refused")

// backend is a store that can be slow, down, hung and changed.
type backend struct {
	mu      sync.Mutex
	keys    map[keystore.Digest]*keystore.Key
	signing map[string][]*keystore.Key
	err     error
	gate    chan struct{} // answers that are read wait here before they are given; nil: they do not
	panics  bool

	reads, running, most atomic.Int64
	arrived              chan struct{} // gets a value for every read that waits at the gate
}

func newBackend(keys ...*keystore.Key) *backend {
	b := &backend{keys: map[keystore.Digest]*keystore.Key{}, signing: map[string][]*keystore.Key{}, arrived: make(chan struct{}, 10_000)}
	for _, k := range keys {
		b.put(k)
	}
	return b
}

func (b *backend) put(k *keystore.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k.Signing != nil {
		b.signing[k.Signing.ID] = append(b.signing[k.Signing.ID], k)
		return
	}
	b.keys[k.Digest] = k
}

func (b *backend) revoke(k *keystore.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.keys, k.Digest)
	if k.Signing != nil {
		delete(b.signing, k.Signing.ID)
	}
}

func (b *backend) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// hold makes answers wait, once they were read, until release is called.
func (b *backend) hold() (release func()) {
	gate := make(chan struct{})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gate = gate
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.gate = nil
		close(gate)
	})
}

// answer reads with the lock held, as a transaction would, and then takes its time.
func (b *backend) answer(ctx context.Context, read func()) error {
	b.reads.Add(1)
	now := b.running.Add(1)
	defer b.running.Add(-1)
	for {
		if most := b.most.Load(); now <= most || b.most.CompareAndSwap(most, now) {
			break
		}
	}
	b.mu.Lock()
	read()
	err, gate, panics := b.err, b.gate, b.panics
	b.mu.Unlock()
	if panics {
		panic("a bug")
	}
	if gate != nil {
		b.arrived <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (b *backend) ByDigest(ctx context.Context, d keystore.Digest) (k *keystore.Key, err error) {
	if err := b.answer(ctx, func() { k = b.keys[d] }); err != nil {
		return nil, err
	}
	if k == nil {
		return nil, keystore.ErrNotFound
	}
	return k, nil
}

func (b *backend) BySigningID(ctx context.Context, id string) (keys []*keystore.Key, err error) {
	if err := b.answer(ctx, func() { keys = b.signing[id] }); err != nil {
		return nil, err
	}
	if keys == nil {
		return nil, keystore.ErrNotFound
	}
	return keys, nil
}

func (b *backend) ByApp(ctx context.Context, namespace, name string) (keys []*keystore.Key, err error) {
	if err := b.answer(ctx, func() {
		for _, list := range b.signing {
			for _, k := range list {
				if k.App.Namespace == namespace && k.App.Name == name {
					keys = append(keys, k)
				}
			}
		}
	}); err != nil {
		return nil, err
	}
	if keys == nil {
		return nil, keystore.ErrNotFound
	}
	return keys, nil
}

// clock is a clock that stands still until it is set.
type clock struct{ now atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.now.Store(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) time() time.Time         { return time.Unix(0, c.now.Load()) }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

func open(t testing.TB, b keystore.Store, o Options) (*Store, *clock) {
	t.Helper()
	c := newClock()
	o.Now = c.time
	s := New(b, o)
	t.Cleanup(s.Close)
	return s, c
}

func apiKey(text string) *keystore.Key {
	app := &keystore.App{Namespace: "shop", Name: "app-of-" + text, Scopes: authz.NewScopes("orders:read")}
	return keystore.NewKey(app, "one", nil, keystore.Key{Digest: keystoretest.Digest(text)})
}

func signingKey(id string) *keystore.Key {
	app := &keystore.App{Namespace: "shop", Name: "app-of-" + id}
	return keystore.NewKey(app, "one", nil, keystore.Key{Signing: &keystore.SigningKey{ID: id, Secret: "0123456789abcdef"}})
}

// settle waits until what was read is in the caches.
func (s *Store) settle() {
	s.known.Wait()
	s.unknown.Wait()
}

// want expects the store to know the key, or not to.
func want(t *testing.T, s keystore.Store, k *keystore.Key, wantErr error) {
	t.Helper()
	var err error
	if k.Signing != nil {
		_, err = s.BySigningID(context.Background(), k.Signing.ID)
	} else {
		var got *keystore.Key
		if got, err = s.ByDigest(context.Background(), k.Digest); err == nil && got.ID != k.ID {
			t.Fatalf("got %s; want %s", got.ID, k.ID)
		}
	}
	if !errors.Is(err, wantErr) {
		t.Fatalf("%s: %v; want %v", k.ID, err, wantErr)
	}
}

func (b *backend) wantReads(t *testing.T, n int64) {
	t.Helper()
	if got := b.reads.Load(); got != n {
		t.Fatalf("%d reads; want %d", got, n)
	}
}

// eventually waits for something that happens on another goroutine.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
