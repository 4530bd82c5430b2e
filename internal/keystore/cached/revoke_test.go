package cached

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/keystore"
)

// forgets are the ways to drop a key.
var forgets = map[string]func(*Store, *keystore.Key){
	"itself": func(s *Store, k *keystore.Key) {
		if k.Signing != nil {
			s.ForgetSigningID(k.Signing.ID)
		} else {
			s.Forget(k.Digest)
		}
	},
	"its App":    func(s *Store, k *keystore.Key) { s.ForgetApp(k.App.Namespace, k.App.Name) },
	"everything": func(s *Store, _ *keystore.Key) { s.ForgetAll() },
}

func TestForget(t *testing.T) {
	for name, forget := range forgets {
		for _, k := range []*keystore.Key{apiKey("k"), signingKey("s")} {
			b := newBackend(k)
			s, _ := open(t, b, Options{})
			want(t, s, k, nil)
			s.settle()
			b.revoke(k)
			want(t, s, k, nil)
			forget(s, k)
			want(t, s, k, keystore.ErrNotFound)
			s.settle()
			b.put(k) // and one that is made after it was asked for
			want(t, s, k, keystore.ErrNotFound)
			forget(s, k)
			want(t, s, k, nil)
			s.settle()
			b.fail(errDown) // nothing of what is forgotten is served as stale
			forget(s, k)
			if _, err := s.ByDigest(context.Background(), k.Digest); !errors.Is(err, errDown) && k.Signing == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestARevokedKeyNeverComesBack revokes a key while reads that saw it good are under way, 200 times.
func TestARevokedKeyNeverComesBack(t *testing.T) {
	const rounds, callers = 200, 4
	b := newBackend()
	s, _ := open(t, b, Options{ReadTimeout: time.Minute})
	names := []string{"itself", "its App", "everything"}
	for round := range rounds {
		k := apiKey(fmt.Sprint("k", round))
		if round%2 == 1 {
			k = signingKey(fmt.Sprint("s", round))
		}
		b.put(k)
		release := b.hold()
		var wg sync.WaitGroup
		for range callers {
			// Their reads saw the key. When they are answered it is revoked, and they must hear that.
			wg.Go(func() { want(t, s, k, keystore.ErrNotFound) })
		}
		<-b.arrived
		b.revoke(k)
		forgets[names[round%3]](s, k)
		for range callers {
			wg.Go(func() { want(t, s, k, keystore.ErrNotFound) })
		}
		release()
		wg.Wait()
		want(t, s, k, keystore.ErrNotFound)
		s.settle()
		want(t, s, k, keystore.ErrNotFound)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

// TestRevocationUnderLoad revokes keys one by one while everybody uses them. Who asks after Forget has returned must not
// get the key.
func TestRevocationUnderLoad(t *testing.T) {
	const keys, readers = 200, 4
	all := make([]*keystore.Key, keys)
	for i := range all {
		all[i] = apiKey(fmt.Sprint("k", i))
	}
	b := newBackend(all...)
	s, _ := open(t, b, Options{})
	var revoked [keys]atomic.Bool
	var stop atomic.Bool
	var good atomic.Int64
	var wg sync.WaitGroup
	for r := range readers {
		wg.Go(func() {
			for i := r; !stop.Load(); i++ {
				n := i % keys
				gone := revoked[n].Load()
				_, err := s.ByDigest(context.Background(), all[n].Digest)
				switch {
				case err == nil && gone:
					t.Errorf("key %d is back", n)
					return
				case err == nil:
					good.Add(1)
				case !errors.Is(err, keystore.ErrNotFound):
					t.Error(err)
					return
				}
			}
		})
	}
	for i, k := range all {
		seen := good.Load()
		b.revoke(k)
		s.Forget(k.Digest)
		revoked[i].Store(true)
		if i < keys/2 {
			eventually(t, "readers go on", func() bool { return good.Load() > seen || t.Failed() })
		}
	}
	stop.Store(true)
	wg.Wait()
	for _, k := range all {
		want(t, s, k, keystore.ErrNotFound)
	}
}

// TestUnsettled changes a key during every read of it.
func TestUnsettled(t *testing.T) {
	k := apiKey("k")
	s, _ := open(t, nil, Options{})
	s.next = restless{s, k}
	want(t, s, k, errUnsettled)
	if _, err := s.ByDigest(context.Background(), k.Digest); errors.Is(err, keystore.ErrNotFound) {
		t.Error("it says that the key does not exist")
	}
}

type restless struct {
	s *Store
	k *keystore.Key
}

func (r restless) ByDigest(context.Context, keystore.Digest) (*keystore.Key, error) {
	r.s.Forget(r.k.Digest)
	return r.k, nil
}

func (r restless) ByApp(context.Context, string, string) ([]*keystore.Key, error) {
	return nil, keystore.ErrNotFound
}

func (r restless) BySigningID(context.Context, string) ([]*keystore.Key, error) {
	return nil, keystore.ErrNotFound
}
