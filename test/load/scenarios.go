package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// scenario is one line of the table.
type scenario struct {
	name string
	work string
	run  func(context.Context, *bench) (result, error)
}

// scenarios is the table in the order it is printed.
var scenarios = slices.Concat([]scenario{
	{"apikey", "API key", againstYes(0.70, apiKeys)},
	{"jwt-es256", "JWT seen before, ES256", againstYes(0.75, seenTokens(func(s *secrets) *issuer { return s.es256 }))},
	{"jwt-rs256", "JWT seen before, RS256", againstYes(0.75, seenTokens(func(s *secrets) *issuer { return s.rs256 }))},
	{"hmac", "HMAC (RFC 9421), no body", againstYes(limitSigned, signatures)},
}, signedScenarios(), []scenario{
	{"jwt-new", "JWT first seen, ES256", newTokens},
	{"policies", "API key, 10,000 policies instead of 10", larger(size{10_000, 1000, 10})},
	{"keys", "API key, 1,000,000 keys instead of 1,000", larger(size{10, 1_000_000, 10})},
	{"start-10k", "start to ready, 10,000 declared keys", start(10_000, 1500*time.Millisecond)},
	{"start-100k", "start to ready, 100,000 declared keys", start(100_000, 8*time.Second)},
})

// onDemand run only when they are named: those with a database take minutes to fill it, and "self" measures how exact the
// rest is.
var onDemand = []scenario{
	{"sqlite", "API key in SQLite, 1,000,000 keys instead of 1,000", stored(sqlite, 1_000_000)},
	{"postgres", "API key in PostgreSQL, 1,000,000 keys instead of 1,000", stored(postgres, 1_000_000)},
	{"self", "always-yes against itself", againstItself},
}

// limitLarger is for the same check among more policies or keys.
const limitLarger = 1.1

// ordinary is the world that most scenarios share.
var ordinary = size{policies: 10, keys: 1000, keysPerApp: 10}

// bench holds what scenarios share; it is made when first asked for.
type bench struct {
	plan     plan
	programs *programs
	secrets  *secrets

	yes     *target
	world   *world
	postern *target // over world
}

func (b *bench) close() {
	for _, t := range []*target{b.yes, b.postern} {
		if t != nil {
			t.stop()
		}
	}
}

// alwaysYes returns the yardstick.
func (b *bench) alwaysYes(ctx context.Context) (*target, error) {
	var err error
	if b.yes == nil {
		b.yes, err = b.programs.startAlwaysYes(ctx)
	}
	return b.yes, err
}

// usual returns a Postern over the ordinary world.
func (b *bench) usual(ctx context.Context) (*target, *world, error) {
	if b.postern == nil {
		w, err := b.newWorld("ordinary", ordinary)
		if err != nil {
			return nil, nil, err
		}
		if b.postern, _, err = b.programs.startPostern(ctx, w); err != nil {
			return nil, nil, err
		}
		b.world = w
	}
	return b.postern, b.world, nil
}

func (b *bench) newWorld(name string, n size) (*world, error) {
	return newWorld(filepath.Join(b.programs.dir, name), b.secrets, n)
}

// againstYes measures Postern against the yardstick.
func againstYes(limit float64, of func(*bench, *world) (traffic, error)) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) {
		yes, err := b.alwaysYes(ctx)
		if err != nil {
			return result{}, err
		}
		postern, w, err := b.usual(ctx)
		if err != nil {
			return result{}, err
		}
		t, err := of(b, w)
		if err != nil {
			return result{}, err
		}
		c, err := compare(ctx, b.plan, side{yes, t}, side{postern, t})
		return ratioResult(c, limit), err
	}
}

func apiKeys(_ *bench, w *world) (traffic, error) { return withKeys(w.keys, w.hosts), nil }

func signatures(b *bench, w *world) (traffic, error) {
	return withSignatures(b.secrets.signingID, b.secrets.signing, w.hosts[0]), nil
}

// seenTokens presents so few tokens that the warm-up has shown each of them.
func seenTokens(of func(*secrets) *issuer) func(*bench, *world) (traffic, error) {
	return func(b *bench, w *world) (traffic, error) {
		list, err := tokens(of(b.secrets), 200)
		return withTokens(list, w.hosts[0]), err
	}
}

// newTokens measures tokens that nobody has seen. They may cost what always-yes costs and one signature check, so the
// yardstick here is an always-yes that makes one.
func newTokens(ctx context.Context, b *bench) (result, error) {
	postern, w, err := b.usual(ctx)
	if err != nil {
		return result{}, err
	}
	verifying, err := b.programs.startAlwaysYes(ctx, "-verify")
	if err != nil {
		return result{}, err
	}
	defer verifying.stop()
	t := withNewTokens(b.secrets.es256, w.hosts[0])
	c, err := compare(ctx, b.plan, side{verifying, t}, side{postern, t})
	r := ratioResult(c, 1)
	r.Note = "compared with always-yes and one bare signature check"
	return r, err
}

// larger measures the same check in a larger world and in the ordinary one: as many hosts and keys are asked for in
// both, spread over the larger one. The note tells what it costs when all hosts and keys of the larger world are asked
// for in turn, so that each check reads memory that nothing has read lately: no cache of any processor holds it.
func larger(n size) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) {
		usual, w, err := b.usual(ctx)
		if err != nil {
			return result{}, err
		}
		big, err := b.newWorld("larger", n)
		if err != nil {
			return result{}, err
		}
		postern, took, err := b.programs.startPostern(ctx, big)
		if err != nil {
			return result{}, err
		}
		defer postern.stop()
		base := side{usual, withKeys(w.keys, w.hosts)}
		same := withKeys(spread(big.keys, len(w.keys)), spread(big.hosts, len(w.hosts)))
		c, err := compare(ctx, b.plan, base, side{postern, same})
		if err != nil {
			return result{}, err
		}
		all, err := compare(ctx, b.plan, base, side{postern, withKeys(big.keys, big.hosts)})
		if err != nil {
			return result{}, err
		}
		r := ratioResult(c, limitLarger)
		r.Note = fmt.Sprintf("%.2f with all of them in turn; ready after %.1f s", median(all.ratios), took.Seconds())
		return r, nil
	}
}

// spread picks n items at equal distances.
func spread(items []string, n int) []string {
	picked := make([]string, 0, n)
	for i := range n {
		picked = append(picked, items[i*len(items)/n])
	}
	return picked
}

// start measures how long a Postern takes from its start until it is ready: the median of three.
func start(keys int, limit time.Duration) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) {
		w, err := b.newWorld(fmt.Sprintf("start-%d", keys), size{policies: 10, keys: keys, keysPerApp: 1})
		if err != nil {
			return result{}, err
		}
		var seconds []float64
		for range 3 {
			postern, took, err := b.programs.startPostern(ctx, w)
			if err != nil {
				return result{}, err
			}
			postern.stop()
			seconds = append(seconds, took.Seconds())
		}
		return result{Unit: "s", Measured: median(seconds), Limit: limit.Seconds(), Rounds: seconds}, nil
	}
}

// againstItself measures the yardstick against a copy of itself: the ratio is 1, as far as the method is exact.
func againstItself(ctx context.Context, b *bench) (result, error) {
	yes, err := b.alwaysYes(ctx)
	if err != nil {
		return result{}, err
	}
	again, err := b.programs.startAlwaysYes(ctx)
	if err != nil {
		return result{}, err
	}
	defer again.stop()
	t := withSignatures(b.secrets.signingID, b.secrets.signing, "service-000000.example.com")
	c, err := compare(ctx, b.plan, side{yes, t}, side{again, t})
	return ratioResult(c, 1.03), err
}
