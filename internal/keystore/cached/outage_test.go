package cached

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/keystore"
)

func TestOutage(t *testing.T) {
	for _, k := range []*keystore.Key{apiKey("k"), signingKey("s")} {
		b := newBackend(k)
		s, clock := open(t, b, Options{})
		want(t, s, k, nil)
		s.settle()
		b.fail(errDown)

		clock.advance(time.Minute - 1)
		want(t, s, k, nil)
		b.wantReads(t, 1)
		if s.Stats().Degraded {
			t.Fatal("degraded before anybody asked")
		}

		clock.advance(1)
		want(t, s, k, nil) // asks, in vain
		b.wantReads(t, 2)
		if stats := s.Stats(); !stats.Degraded || stats.Stale != 1 || stats.Failures != 1 {
			t.Fatalf("%+v", stats)
		}
		for range 100 {
			want(t, s, k, nil) // does not ask
		}
		b.wantReads(t, 2)
		clock.advance(probeEvery)
		want(t, s, k, nil) // asks again
		want(t, s, k, nil)
		b.wantReads(t, 3)

		unknown := apiKey("unknown")
		want(t, s, unknown, errDown)
		if _, err := s.ByDigest(context.Background(), unknown.Digest); errors.Is(err, keystore.ErrNotFound) {
			t.Fatal("an outage says that a key does not exist")
		}

		clock.advance(4*time.Minute - probeEvery - 1)
		want(t, s, k, nil)
		clock.advance(1) // five minutes old
		want(t, s, k, errDown)
	}
}

// TestRecovery measures by the clock that it takes less than two seconds.
func TestRecovery(t *testing.T) {
	k, changed := apiKey("k"), apiKey("k")
	changed.Disabled = true
	b := newBackend(k)
	s, clock := open(t, b, Options{})
	want(t, s, k, nil)
	s.settle()
	b.fail(errDown)
	clock.advance(2 * time.Minute)
	want(t, s, k, nil)
	b.put(changed)
	b.fail(nil)
	for waited := time.Duration(0); ; waited += 100 * time.Millisecond {
		got, err := s.ByDigest(context.Background(), k.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if got == changed {
			break
		}
		if waited > 2*time.Second {
			t.Fatal("it still serves the stale key")
		}
		clock.advance(100 * time.Millisecond)
	}
	if s.Stats().Degraded {
		t.Error("it is still degraded")
	}
	want(t, s, apiKey("unknown"), keystore.ErrNotFound)
}

// TestHungStore lets nobody with a known key wait for a store that does not answer, but the first.
func TestHungStore(t *testing.T) {
	k := apiKey("k")
	b := newBackend(k)
	s, clock := open(t, b, Options{RenewTimeout: 5 * time.Millisecond, ReadTimeout: time.Minute})
	want(t, s, k, nil)
	s.settle()
	release := b.hold()
	defer release()
	clock.advance(time.Minute)
	for range 100 {
		want(t, s, k, nil)
	}
	<-b.arrived
	b.wantReads(t, 2)
	if stats := s.Stats(); stats.Stale != 100 || !stats.Degraded {
		t.Errorf("%+v", stats)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if _, err := s.ByDigest(ctx, apiKey("unknown").Digest); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, keystore.ErrNotFound) {
		t.Error(err)
	}
	release()
	eventually(t, "the hung read ends the state and renews the key", func() bool {
		_, fresh := s.recall(digestID(k.Digest))
		return fresh && !s.Stats().Degraded
	})
	want(t, s, k, nil)
	b.wantReads(t, 3)
}

func TestAFullHouseServesStaleKeys(t *testing.T) {
	k, second := apiKey("k"), apiKey("second")
	b := newBackend(k, second)
	s, clock := open(t, b, Options{Reads: 1, QueueTimeout: time.Millisecond, RenewTimeout: time.Minute, ReadTimeout: time.Minute})
	want(t, s, k, nil)
	want(t, s, second, nil)
	s.settle()
	release := b.hold()
	clock.advance(time.Minute)
	done := make(chan error)
	go func() {
		_, err := s.ByDigest(context.Background(), k.Digest)
		done <- err
	}()
	<-b.arrived
	want(t, s, second, nil)
	if stats := s.Stats(); stats.Stale != 1 || stats.Overloaded != 1 || stats.Degraded {
		t.Errorf("%+v", stats)
	}
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
