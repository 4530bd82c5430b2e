package cached

import (
	"context"
	"errors"
	"testing"
	"time"
	"unsafe"

	"github.com/postern-auth/postern/internal/keystore"
)

// TestAReadKeepsItsOwnID leaves a read waiting for its turn, and its caller's buffer to the next request: ids alias it.
func TestAReadKeepsItsOwnID(t *testing.T) {
	asked, other := signingKey("alice"), signingKey("mallo")
	b := newBackend(asked, other)
	s, _ := open(t, b, Options{Reads: 1, QueueTimeout: time.Minute, ReadTimeout: time.Minute})

	release := b.hold()
	defer release()
	go func() { _, _ = s.BySigningID(context.Background(), "first") }()
	<-b.arrived // and takes the only place

	buffer := []byte("alice")
	ctx, giveUp := context.WithCancel(context.Background())
	giveUp()
	if _, err := s.BySigningID(ctx, unsafe.String(&buffer[0], len(buffer))); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v; want the caller to have given up", err)
	}
	copy(buffer, "mallo")
	release()

	keys, err := s.BySigningID(context.Background(), "alice")
	if err != nil || len(keys) != 1 || keys[0] != asked {
		t.Fatalf("%v, %v; want the key of the id that was asked for", keys, err)
	}
}

// careless is a store that compares ids without regard to case.
type careless struct{ keystore.Store }

func (c careless) BySigningID(ctx context.Context, _ string) ([]*keystore.Key, error) {
	return c.Store.BySigningID(ctx, "alice")
}

func TestSigningKeysOfAnotherIDAreNoAnswer(t *testing.T) {
	s, _ := open(t, careless{newBackend(signingKey("alice"))}, Options{})
	if keys, err := s.BySigningID(context.Background(), "ALICE"); !errors.Is(err, errWrongKey) {
		t.Fatalf("%v, %v; want %v", keys, err, errWrongKey)
	}
}
