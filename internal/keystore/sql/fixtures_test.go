package sqlstore

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/test/harness"
)

// noon is when the clocks of most tests stand.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 123456000, time.UTC)

// clock is a clock that stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: noon} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var acme = AppName{"shop", "acme"}

func newApp(name AppName) App {
	return App{AppName: name, Scopes: []string{"orders:read", "orders:write"}, Labels: map[string]string{"tier": "partner"}}
}

// apiKey is a key of the App whose text is its id.
func apiKey(app AppName, name string) Key {
	k := Key{KeyName: KeyName{app.Namespace, app.Name, name}, Type: APIKey}
	k.Digest = digest(k.String())
	return k
}

func digest(text string) keystore.Digest { return keystore.Digest{Sum: sha256.Sum256([]byte(text))} }

func hmacKey(app AppName, name, signingID string) Key {
	return Key{
		KeyName: KeyName{app.Namespace, app.Name, name}, Type: HMACSecret, SigningID: signingID,
		Secret: authz.Secret("the canary secret of " + name),
	}
}

// withApp stores an App and keys of it.
func withApp(t testing.TB, s *Store, name AppName, keys ...Key) {
	t.Helper()
	update(t, s, func(tx *Tx) error {
		if _, err := tx.CreateApp(newApp(name)); err != nil {
			return err
		}
		_, err := tx.CreateKeys(name, keys)
		return err
	})
}

func must[T any](t testing.TB) func(value T, err error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func diff(t testing.TB, what string, want, got any, options ...cmp.Option) {
	t.Helper()
	if d := cmp.Diff(want, got, options...); d != "" {
		t.Errorf("%s: -want +got\n%s", what, d)
	}
}

// change carries out an Update that changes one key.
func change(t testing.TB, s *Store, name KeyName, do func(*Key)) {
	t.Helper()
	update(t, s, func(tx *Tx) error {
		k, err := tx.Key(name)
		if err != nil {
			return err
		}
		do(&k)
		_, err = tx.UpdateKey(k)
		return err
	})
}

// journal is what a follower was told.
type journal struct {
	mu   sync.Mutex
	told []Changes
}

// follow follows a Store until the test ends, and waits until it has begun.
func follow(t testing.TB, s *Store) *journal {
	t.Helper()
	j := &journal{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Follow(ctx, j.apply)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	j.await(t, "the first of it", func(told []Changes) bool { return len(told) > 0 && told[0].All })
	return j
}

func (j *journal) apply(c Changes) {
	j.mu.Lock()
	j.told = append(j.told, c)
	j.mu.Unlock()
}

// changes returns every change so far, and how often everything was to be forgotten.
func (j *journal) changes() (list []Change, all int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.told {
		list = append(list, c.List...)
		if c.All {
			all++
		}
	}
	return list, all
}

func (j *journal) await(t testing.TB, what string, done func([]Changes) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := harness.Await(ctx, what, func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return done(j.told)
	}); err != nil {
		t.Fatal(err)
	}
}

// hears waits for a change.
func (j *journal) hears(t testing.TB, want Change) {
	t.Helper()
	j.await(t, fmt.Sprintf("%+v", want), func(told []Changes) bool {
		for _, c := range told {
			if slices.Contains(c.List, want) {
				return true
			}
		}
		return false
	})
}
