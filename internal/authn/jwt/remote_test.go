package jwt

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// endpoint is a JWKS address in a bubble of fake time.
type endpoint struct {
	mu      sync.Mutex
	answer  answer
	fetches []time.Time
}

// answer is what an endpoint does when it is asked.
type answer struct {
	jwks   string
	err    error
	panics bool
	delay  time.Duration
	maxAge time.Duration
}

func (e *endpoint) load(ctx context.Context) (*document, error) {
	e.mu.Lock()
	e.fetches = append(e.fetches, time.Now())
	a := e.answer
	e.mu.Unlock()
	if a.panics {
		panic("parser upset")
	}
	select {
	case <-time.After(a.delay):
		return &document{body: []byte(a.jwks), maxAge: a.maxAge}, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *endpoint) set(a answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = a
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.fetches)
}

// bubble runs f in fake time with a scheme whose keys come from an endpoint. The first fetch has ended if it can.
func bubble(t *testing.T, first answer, f func(t *testing.T, s *Scheme, e *endpoint, from *remote)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{answer: first}
		ctx, quit := context.WithCancel(context.Background())
		from := newRemote("test", e.load, slog.New(slog.DiscardHandler), quit)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			from.run(ctx)
		}()
		s := compile(t, spec(set(keys().es256.jwk())), Options{})
		s.issuers[0].keys = from
		synctest.Wait()
		f(t, s, e, from)
		quit()
		<-ended
	})
}

// present authenticates with a token of the signer, made now, within 150 ms.
func present(t *testing.T, s *Scheme, by *signer) error {
	t.Helper()
	c := claims(object{"iat": nil, "exp": time.Now().Add(time.Minute).Unix()})
	r := request(by.token(by.header(), c))
	r.Now = time.Now()
	r.Deadline = r.Now.Add(150 * time.Millisecond)
	_, err := authenticate(t, s, r)
	if spent := time.Since(r.Now); spent > 150*time.Millisecond {
		t.Errorf("took %v", spent)
	}
	return err
}

func wantReason(t *testing.T, err error, want authz.Reason) {
	t.Helper()
	if got := authz.ReasonOf(orOK(err)); got != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

const accepted = authz.ReasonUndecided // what wantReason sees in no error

var errDown = errors.New("connection refused")

func TestRemoteSchedule(t *testing.T) {
	es := keys().es256
	for name, c := range map[string]struct {
		maxAge      time.Duration
		least, most time.Duration // between two fetches
	}{
		"nothing said": {0, 12 * time.Minute, 15 * time.Minute},
		"no-store":     {1, 4 * time.Minute, 5 * time.Minute},
		"10 min":       {10 * time.Minute, 8 * time.Minute, 10 * time.Minute},
		"a day":        {24 * time.Hour, 48 * time.Minute, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, answer{jwks: set(es.jwk()), maxAge: c.maxAge}, func(t *testing.T, s *Scheme, e *endpoint, from *remote) {
				first := from.current(time.Now())
				time.Sleep(10 * time.Hour)
				synctest.Wait()
				for i := 1; i < len(e.fetches); i++ {
					if d := e.fetches[i].Sub(e.fetches[i-1]); d < c.least || d > c.most {
						t.Errorf("fetched again after %v", d)
					}
				}
				if n := len(e.fetches); n < int(10*time.Hour/c.most) || from.current(time.Now()) != first {
					t.Errorf("%d fetches; unchanged keys must be the same set", n)
				}
				st := from.stats()
				if st.Source != "test" || st.Failures != 0 || int(st.Fetches) != len(e.fetches) || st.Keys != 1 || time.Since(st.LastSuccess) > c.most {
					t.Errorf("%+v", st)
				}
				wantReason(t, present(t, s, es), accepted)
			})
		})
	}
}

func TestRemoteBackoff(t *testing.T) {
	for name, a := range map[string]answer{
		"down":            {err: errDown},
		"no key set":      {jwks: "<html>"},
		"panic":           {panics: true},
		"slower than 5 s": {delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, a, func(t *testing.T, s *Scheme, e *endpoint, from *remote) {
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				var total time.Duration
				for i := 1; i < len(e.fetches); i++ {
					least := min(minBackoff<<(i-1), maxBackoff) * 4 / 5
					d := e.fetches[i].Sub(e.fetches[i-1])
					if total += d; d < least || d > maxBackoff+fetchTimeout {
						t.Errorf("fetched again after %v, want %v at least", d, least)
					}
				}
				if total < 8*time.Minute {
					t.Errorf("gave up after %v", total)
				}
				wantReason(t, present(t, s, keys().es256), authz.ReasonKeysUnavailable)
				if st := from.stats(); st.Failures == 0 || !st.LastSuccess.IsZero() {
					t.Errorf("%+v", st)
				}
				e.set(answer{jwks: set(keys().es256.jwk())})
				time.Sleep(maxBackoff)
				synctest.Wait()
				wantReason(t, present(t, s, keys().es256), accepted)
			})
		})
	}
}

// TestRemoteOutage: the last good keys count for a day, no longer, and new ones from the first success on.
func TestRemoteOutage(t *testing.T) {
	es, other := keys().es256, keys().other256
	bubble(t, answer{jwks: set(es.jwk())}, func(t *testing.T, s *Scheme, e *endpoint, _ *remote) {
		start := time.Now()
		e.set(answer{err: errDown})
		time.Sleep(maxStale)
		wantReason(t, present(t, s, es), accepted)
		time.Sleep(time.Until(start.Add(maxStale + time.Second)))
		wantReason(t, present(t, s, es), authz.ReasonKeysUnavailable)
		e.set(answer{jwks: set(other.jwk())})
		time.Sleep(maxBackoff)
		synctest.Wait()
		wantReason(t, present(t, s, other), accepted)
		time.Sleep(refetchPause)
		wantReason(t, present(t, s, es), authz.ReasonUnknownKey)
	})
}

func TestRemoteFirstFetch(t *testing.T) {
	es := keys().es256
	t.Run("in time", func(t *testing.T) {
		bubble(t, answer{jwks: set(es.jwk()), delay: 100 * time.Millisecond}, func(t *testing.T, s *Scheme, _ *endpoint, _ *remote) {
			wantReason(t, present(t, s, es), accepted)
		})
	})
	t.Run("too late", func(t *testing.T) {
		bubble(t, answer{jwks: set(es.jwk()), delay: time.Second}, func(t *testing.T, s *Scheme, _ *endpoint, _ *remote) {
			start := time.Now()
			wantReason(t, present(t, s, es), authz.ReasonKeysUnavailable)
			if time.Since(start) < 150*time.Millisecond {
				t.Error("did not wait")
			}
			time.Sleep(time.Second)
			synctest.Wait()
			wantReason(t, present(t, s, es), accepted)
		})
	})
	t.Run("between attempts", func(t *testing.T) {
		bubble(t, answer{err: errDown}, func(t *testing.T, s *Scheme, _ *endpoint, _ *remote) {
			start := time.Now()
			wantReason(t, present(t, s, es), authz.ReasonKeysUnavailable)
			if time.Since(start) > 0 {
				t.Error("waited for nothing")
			}
		})
	})
}

// TestRemoteUnknownKeyID: an unknown kid has the keys fetched once in 30 s; a bad signature never has.
func TestRemoteUnknownKeyID(t *testing.T) {
	es, other := keys().es256, keys().other256
	slow := answer{jwks: set(es.jwk()), maxAge: time.Hour, delay: 20 * time.Millisecond}
	bubble(t, slow, func(t *testing.T, s *Scheme, e *endpoint, _ *remote) {
		time.Sleep(time.Second)
		forged := *other
		forged.id = es.id
		for range 10 {
			wantReason(t, present(t, s, &forged), authz.ReasonBadSignature)
		}
		if n := e.count(); n != 1 {
			t.Fatalf("%d fetches, a bad signature caused one", n)
		}

		slow.jwks = set(es.jwk(), other.jwk())
		e.set(slow)
		wantReason(t, present(t, s, other), accepted) // rotated: the request waits for the new set
		if n := e.count(); n != 2 {
			t.Fatalf("%d fetches", n)
		}
		stranger := *other
		stranger.id = "stranger"
		for range 29 {
			wantReason(t, present(t, s, &stranger), authz.ReasonUnknownKey)
			time.Sleep(time.Second)
		}
		if n := e.count(); n != 2 {
			t.Fatalf("%d fetches in 30 s", n)
		}
		time.Sleep(time.Second)

		var flood sync.WaitGroup
		for range 100 {
			flood.Go(func() { wantReason(t, present(t, s, &stranger), authz.ReasonUnknownKey) })
		}
		flood.Wait()
		if n := e.count(); n != 3 {
			t.Errorf("%d fetches for a flood", n)
		}
		wantReason(t, present(t, s, es), accepted)
	})
}

// TestRemoteUnknownKeyIDOutage: whether a key exists cannot be told while the endpoint is down.
func TestRemoteUnknownKeyIDOutage(t *testing.T) {
	es, other := keys().es256, keys().other256
	up := answer{jwks: set(es.jwk()), maxAge: time.Hour}
	bubble(t, up, func(t *testing.T, s *Scheme, e *endpoint, _ *remote) {
		e.set(answer{err: errDown})
		wantReason(t, present(t, s, other), authz.ReasonKeysUnavailable)
		wantReason(t, present(t, s, other), authz.ReasonKeysUnavailable) // throttled, and still nobody knows
		wantReason(t, present(t, s, es), accepted)

		up.delay = time.Second
		e.set(up)
		time.Sleep(20 * time.Second)
		wantReason(t, present(t, s, other), authz.ReasonUnknownKey) // throttled, and fetched well since
		time.Sleep(refetchPause)
		wantReason(t, present(t, s, other), authz.ReasonKeysUnavailable) // slower than the deadline
		wantReason(t, present(t, s, es), accepted)
	})
}

// TestRemoteStop: nobody waits for a source that was stopped; its last keys still count.
func TestRemoteStop(t *testing.T) {
	es, other := keys().es256, keys().other256
	bubble(t, answer{jwks: set(es.jwk())}, func(t *testing.T, s *Scheme, e *endpoint, from *remote) {
		e.set(answer{delay: time.Hour})
		var waiting sync.WaitGroup
		waiting.Go(func() {
			r := request(other.token(other.header(), claims(object{"iat": nil})))
			r.Now = time.Now()
			_, err := authenticate(t, s, r) // no deadline of its own
			wantReason(t, err, authz.ReasonKeysUnavailable)
		})
		synctest.Wait()
		from.quit()
		waiting.Wait()
		synctest.Wait()
		wantReason(t, present(t, s, es), accepted)
		time.Sleep(refetchPause)
		wantReason(t, present(t, s, other), authz.ReasonKeysUnavailable)
		if n := e.count(); n != 2 {
			t.Errorf("%d fetches", n)
		}
	})
}
