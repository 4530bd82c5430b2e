package signature

import (
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/replay"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestReplayed accepts a request once, however the second copy is dressed up.
func TestReplayed(t *testing.T) {
	nonce := func(q *SignRequest) { q.Nonce = "n1" }
	for name, c := range map[string]struct {
		sign  func(*SignRequest)
		again func(*authz.Request)
	}{
		"as it was":  {},
		"with nonce": {sign: nonce},
		"relabelled": {again: func(r *authz.Request) {
			setHeader(r, "signature-input", strings.Replace(header(r, "signature-input"), "sig1=", "x=", 1))
			setHeader(r, "signature", strings.Replace(header(r, "signature"), "sig1=", "x=", 1))
		}},
		"respaced": {again: func(r *authz.Request) {
			setHeader(r, "signature-input", strings.Replace(header(r, "signature-input"), `" "`, `"  "`, 1))
		}},
		"an uncovered field added": {again: func(r *authz.Request) { setHeader(r, "x-new", "1") }},
		"joined by Envoy": {
			sign: func(q *SignRequest) {
				q.Headers = append(q.Headers, authz.Header{Name: "accept", Value: "a, b"})
				cover("@method", "@target-uri", "accept", "content-digest")(q)
			},
			again: func(r *authz.Request) { setHeader(r, "accept", "a,b") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := order(t)
			if c.sign != nil {
				c.sign(&q)
			}
			s, r := newScheme(t, rfcKeys(t), nil), signed(t, q)
			if _, err := check(s, r); err != nil {
				t.Fatal(err)
			}
			if c.again != nil {
				c.again(r)
			}
			p, err := check(s, r)
			wantRefused(t, p, err, authz.ReasonReplayed, "has been accepted before")
		})
	}
}

// TestReplayOtherForm replays an ECDSA signature in the other form that verifies as well: (r, n-s) for (r, s).
func TestReplayOtherForm(t *testing.T) {
	pair := keyPairs(t)[2]
	store := keys{}
	store.add("rfc", pair.signing)
	q := order(t)
	q.KeyID, q.Key = pair.algorithm, pair.private
	s, r := newScheme(t, store, nil), signed(t, q)
	if _, err := check(s, r); err != nil {
		t.Fatal(err)
	}
	text := strings.Trim(strings.TrimPrefix(header(r, "signature"), "sig1="), ":")
	sig, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	order := pair.private.(*ecdsa.PrivateKey).Params().N
	new(big.Int).Sub(order, new(big.Int).SetBytes(sig[32:])).FillBytes(sig[32:])
	setHeader(r, "signature", "sig1="+byteSequence(sig))
	p, err := check(s, r)
	wantRefused(t, p, err, authz.ReasonReplayed, "has been accepted before")
}

// TestNonceReused refuses a nonce in another request of the same key, and only of the same.
func TestNonceReused(t *testing.T) {
	store := rfcKeys(t)
	store.add("rfc", &keystore.SigningKey{ID: "other", Secret: sharedSecret(t)})
	s := newScheme(t, store, nil)
	q := order(t)
	q.Nonce = "n1"
	if _, err := check(s, signed(t, q)); err != nil {
		t.Fatal(err)
	}
	q.Method = "PUT"
	p, err := check(s, signed(t, q))
	wantRefused(t, p, err, authz.ReasonReplayed, "has been accepted before")
	q.KeyID = "other"
	if _, err := check(s, signed(t, q)); err != nil {
		t.Errorf("another key's nonce: %v", err)
	}
}

// TestRefusedIsNotRemembered keeps strangers from filling the memory, and a spoiled copy from using up the original.
func TestRefusedIsNotRemembered(t *testing.T) {
	s, q := newScheme(t, rfcKeys(t), nil), order(t)
	for _, spoil := range []func(*authz.Request){
		func(r *authz.Request) { r.Method = "PUT" },
		func(r *authz.Request) { r.Body.Bytes = []byte("x") },
		func(r *authz.Request) { setHeader(r, "signature", "sig1=:AAAA:") },
		func(r *authz.Request) { r.Now = now.Add(time.Hour) },
	} {
		r := signed(t, q)
		spoil(r)
		if _, err := check(s, r); err == nil {
			t.Fatal("accepted")
		}
	}
	if n := s.replay.(*replay.Local).Stats().Keys; n != 0 {
		t.Errorf("%d keys remembered", n)
	}
	if _, err := check(s, signed(t, q)); err != nil {
		t.Error(err)
	}
}

func TestReplayAllowed(t *testing.T) {
	s := newScheme(t, rfcKeys(t), func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Replay = v1alpha1.ReplayAllow })
	r := signed(t, order(t))
	for range 2 {
		if _, err := check(s, r); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRemembered is about how long: until a signature would be refused for its age anyway, and for no shorter time.
func TestRemembered(t *testing.T) {
	for _, c := range []struct {
		expires time.Time
		want    time.Time
	}{
		{time.Time{}, created.Add(5*time.Minute + 61*time.Second)},
		{created.Add(time.Minute), created.Add(time.Minute + 61*time.Second)},
		{created.Add(time.Hour), created.Add(5*time.Minute + 61*time.Second)},
	} {
		var spy until
		s := newScheme(t, rfcKeys(t), func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = &spy })
		q := order(t)
		q.Expires = c.expires
		if _, err := check(s, signed(t, q)); err != nil {
			t.Fatal(err)
		}
		if !time.Time(spy).Equal(c.want) {
			t.Errorf("expires %v: remembered until %v, want %v", c.expires, time.Time(spy), c.want)
		}
	}
}

type until time.Time

func (u *until) First(_ context.Context, _ [32]byte, _, at time.Time) (bool, error) {
	*u = until(at)
	return true, nil
}

// TestEarliest says since when a memory must have been there: a signature that says when it was made cannot have been
// accepted much earlier, one that does not can have been for as long as it is remembered.
func TestEarliest(t *testing.T) {
	var asked earliest
	spy := func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = &asked }
	if _, err := check(newScheme(t, rfcKeys(t), spy), signed(t, order(t))); err != nil {
		t.Fatal(err)
	}
	if want := created.Add(-time.Minute); !time.Time(asked).Equal(want) {
		t.Errorf("rfc9421: since %v, want %v", time.Time(asked), want)
	}
	store := keys{}
	store.add("rfc", &keystore.SigningKey{ID: "hook", Secret: sharedSecret(t)})
	s := newScheme(t, store, func(spec *v1alpha1.SignatureScheme, o *Options) {
		spec.Profile, spec.App = v1alpha1.ProfileGitHub, "hook"
		spy(spec, o)
	})
	q := order(t)
	q.Profile = v1alpha1.ProfileGitHub
	if _, err := check(s, signed(t, q)); err != nil {
		t.Fatal(err)
	}
	if want := now.Add(-24 * time.Hour); !time.Time(asked).Equal(want) {
		t.Errorf("github: since %v, want %v", time.Time(asked), want)
	}
}

type earliest time.Time

func (e *earliest) First(_ context.Context, _ [32]byte, since, _ time.Time) (bool, error) {
	*e = earliest(since)
	return true, nil
}

// TestConcurrentReplay sends the same request from many sides at once: one of them gets through.
func TestConcurrentReplay(t *testing.T) {
	s, q := newScheme(t, rfcKeys(t), nil), order(t)
	for round := range 20 {
		q.Method = strings.Repeat("A", round+1)
		var (
			start    = make(chan struct{})
			accepted atomic.Int32
			wg       sync.WaitGroup
		)
		for range 16 {
			r := signed(t, q)
			wg.Go(func() {
				<-start
				_, err := check(s, r)
				switch {
				case err == nil:
					accepted.Add(1)
				case authz.ReasonOf(err) != authz.ReasonReplayed:
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if n := accepted.Load(); n != 1 {
			t.Fatalf("%d accepted", n)
		}
	}
}
