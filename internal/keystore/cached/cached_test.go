package cached

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
)

func TestConformance(t *testing.T) {
	keystoretest.Test(t, func(t *testing.T, keys []*keystore.Key) keystore.Store {
		s, _ := open(t, newBackend(keys...), Options{})
		return s
	})
}

func TestKnownKeysAreReadOnce(t *testing.T) {
	for _, k := range []*keystore.Key{apiKey("k"), signingKey("s")} {
		b := newBackend(k)
		s, clock := open(t, b, Options{})
		want(t, s, k, nil)
		s.settle()
		clock.advance(time.Minute - 1)
		want(t, s, k, nil)
		b.wantReads(t, 1)
		clock.advance(1)
		want(t, s, k, nil)
		b.wantReads(t, 2)
		want(t, s, k, nil)
		b.wantReads(t, 2)
	}
}

func TestUnknownKeysAreReadOnce(t *testing.T) {
	for _, k := range []*keystore.Key{apiKey("k"), signingKey("s")} {
		b := newBackend()
		s, clock := open(t, b, Options{})
		want(t, s, k, keystore.ErrNotFound)
		s.settle()
		clock.advance(10*time.Second - 1)
		want(t, s, k, keystore.ErrNotFound)
		b.wantReads(t, 1)
		b.put(k)
		clock.advance(1)
		want(t, s, k, nil)
		b.wantReads(t, 2)
	}
}

// TestDeletedKeyIsUnknown deletes a key without a word, which is noticed when it is read again.
func TestDeletedKeyIsUnknown(t *testing.T) {
	k := apiKey("k")
	b := newBackend(k)
	s, clock := open(t, b, Options{})
	want(t, s, k, nil)
	s.settle()
	b.revoke(k)
	clock.advance(time.Minute)
	want(t, s, k, keystore.ErrNotFound)
	s.settle()
	want(t, s, k, keystore.ErrNotFound)
	b.wantReads(t, 2)
	b.fail(errDown) // now the store cannot bring it back as a stale key
	clock.advance(time.Minute)
	want(t, s, k, errDown)
}

func TestClockSetBack(t *testing.T) {
	k := apiKey("k")
	b := newBackend(k)
	s, clock := open(t, b, Options{})
	want(t, s, k, nil)
	s.settle()
	clock.advance(-time.Hour)
	want(t, s, k, nil)
	b.wantReads(t, 2)
	s.settle()
	b.fail(errDown)
	clock.advance(-time.Hour)
	want(t, s, k, errDown)
}

func TestSimultaneousCallersShareARead(t *testing.T) {
	const callers = 100
	k := apiKey("k")
	b := newBackend(k)
	s, _ := open(t, b, Options{})
	release := b.hold()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() { want(t, s, k, nil) })
	}
	<-b.arrived
	eventually(t, "everybody has asked", func() bool { return s.Stats().Known.Misses >= callers })
	release()
	wg.Wait()
	// Who came after the read was over and before the cache had it read once more; nobody read beside another.
	if most := b.most.Load(); most != 1 {
		t.Errorf("%d reads at a time", most)
	}
	if reads := b.reads.Load(); reads > callers/10 {
		t.Errorf("%d reads for %d callers", reads, callers)
	}
}

func TestReadsAreBounded(t *testing.T) {
	const places = 4
	b := newBackend()
	s, _ := open(t, b, Options{Reads: places, QueueTimeout: 5 * time.Millisecond, ReadTimeout: time.Minute})
	release := b.hold()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer release()
	for i := range places {
		wg.Go(func() { want(t, s, apiKey(string(rune('a'+i))), keystore.ErrNotFound) })
	}
	for range places {
		<-b.arrived
	}
	for range 20 {
		_, err := s.ByDigest(context.Background(), keystoretest.Digest("one more"))
		if authz.ReasonOf(err) != authz.ReasonOverloaded {
			t.Fatal(err)
		}
	}
	if stats := s.Stats(); stats.Overloaded < 20 || stats.Degraded {
		t.Errorf("%+v", stats)
	}
	release()
	wg.Wait()
	want(t, s, apiKey("one more"), keystore.ErrNotFound)
	if most := b.most.Load(); most > places {
		t.Errorf("%d reads at a time", most)
	}
}

// TestKnownKeysAreRenewedDuringAFlood fills every place for unknown keys.
func TestKnownKeysAreRenewedDuringAFlood(t *testing.T) {
	k := apiKey("good")
	b := newBackend(k)
	s, clock := open(t, b, Options{Reads: 1, QueueTimeout: time.Millisecond, ReadTimeout: time.Minute, RenewTimeout: time.Minute})
	want(t, s, k, nil)
	s.settle()
	release := b.hold()
	var wg sync.WaitGroup
	wg.Go(func() { want(t, s, apiKey("bad"), keystore.ErrNotFound) })
	<-b.arrived
	clock.advance(time.Minute)
	wg.Go(func() { want(t, s, k, nil) })
	<-b.arrived // it is being renewed beside the bad one
	release()
	wg.Wait()
	if stats := s.Stats(); stats.Stale != 0 || stats.Overloaded != 0 || stats.Reads != 3 {
		t.Errorf("%+v", stats)
	}
}

// TestAReadOutlivesItsCaller lets a caller go away, and the next profit.
func TestAReadOutlivesItsCaller(t *testing.T) {
	k := apiKey("k")
	b := newBackend(k)
	s, _ := open(t, b, Options{ReadTimeout: time.Minute})
	release := b.hold()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := s.ByDigest(ctx, k.Digest)
		done <- err
	}()
	<-b.arrived
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, keystore.ErrNotFound) {
		t.Fatal(err)
	}
	release()
	eventually(t, "the read fills the cache", func() bool { return s.Stats().Known.Bytes > 0 })
	want(t, s, k, nil)
	b.wantReads(t, 1)
}

func TestReadsHaveTheirOwnLimit(t *testing.T) {
	k := apiKey("k")
	b := newBackend(k)
	s, _ := open(t, b, Options{ReadTimeout: 10 * time.Millisecond})
	defer b.hold()()
	want(t, s, k, context.DeadlineExceeded)
}

func TestBrokenStore(t *testing.T) {
	k, other := apiKey("k"), apiKey("other")
	b := newBackend(k)
	s, _ := open(t, b, Options{})
	b.panics = true
	if _, err := s.ByDigest(context.Background(), k.Digest); err == nil || err.Error() != "the key store panicked: a bug" {
		t.Error(err)
	}
	b.panics = false
	b.keys[k.Digest] = other
	want(t, s, k, errWrongKey)
	b.signing["s"] = []*keystore.Key{nil}
	if _, err := s.BySigningID(context.Background(), "s"); err == nil || !strings.HasPrefix(err.Error(), "the key store panicked:") {
		t.Error(err)
	}
	b.keys[k.Digest] = k
	want(t, s, k, nil)
}

func TestCloseWaitsForReads(t *testing.T) {
	k := apiKey("k")
	b := newBackend(k)
	s := New(b, Options{ReadTimeout: time.Minute})
	release := b.hold()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		_, _ = s.ByDigest(ctx, k.Digest)
		close(done)
	}()
	<-b.arrived
	cancel()
	<-done
	closed := make(chan struct{})
	go func() {
		s.Close()
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("it did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	release()
	<-closed
}

func TestAHitDoesNotAllocate(t *testing.T) {
	known, signer, unknown := apiKey("k"), signingKey("s"), apiKey("u")
	s, _ := open(t, newBackend(known, signer), Options{})
	want(t, s, known, nil)
	want(t, s, signer, nil)
	want(t, s, unknown, keystore.ErrNotFound)
	s.settle()
	ctx := context.Background()
	n := testing.AllocsPerRun(50, func() {
		_, _ = s.ByDigest(ctx, known.Digest)
		_, _ = s.ByDigest(ctx, unknown.Digest)
		_, _ = s.BySigningID(ctx, "s")
	})
	if n != 0 && !underRace {
		t.Errorf("%v allocations; want none", n)
	}
}

func BenchmarkByDigest(b *testing.B) {
	known, unknown := apiKey("k"), apiKey("u")
	s := New(newBackend(known), Options{})
	defer s.Close()
	for name, k := range map[string]*keystore.Key{"known": known, "unknown": unknown} {
		_, _ = s.ByDigest(context.Background(), k.Digest)
		s.settle()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.ByDigest(context.Background(), k.Digest)
			}
		})
	}
}
