package replay

import (
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxDrift is how far our clock and Redis's may be apart.
	maxDrift = 2 * time.Second
	// margin is what drift can add up to: see the package comment.
	margin = 2 * maxDrift

	// All keys share a hash tag, so that a cluster keeps them in one place.
	keyPrefix = "{postern:replay}:"
	markerKey = keyPrefix + "since"

	keepsAll = "durable" // as the script knows it
)

//go:embed redis.lua
var source string

var script = redis.NewScript(source)

var errNonsense = errors.New("Redis answered something other than was asked")

// Redis is a Memory in a Redis or Valkey server. The package comment says what it withstands.
//
// Its user needs the commands EVAL, EVALSHA, GET, SET, INFO and TIME, and the keys {postern:replay}:*:
//
//	ACL SETUSER postern on >… ~{postern:replay}:* -@all +eval +evalsha +get +set +info +time
type Redis struct {
	client  *redis.Client
	timeout time.Duration
	durable string // keepsAll or empty
	log     *slog.Logger
	now     func() time.Time

	repeats, refused atomic.Uint64
}

// First implements [Memory] with one round trip (two when Redis does not know the script yet), for which it waits until
// the timeout or the end of ctx, whichever comes first.
func (m *Redis) First(ctx context.Context, key [32]byte, earliest, until time.Time) (bool, error) {
	first, err := m.first(ctx, keyName(key), earliest, until)
	switch {
	case err != nil:
		m.refused.Add(1)
	case !first:
		m.repeats.Add(1)
	}
	return first, err
}

func keyName(key [32]byte) string { return keyPrefix + base64.RawURLEncoding.EncodeToString(key[:]) }

func (m *Redis) first(ctx context.Context, key string, earliest, until time.Time) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	a, err := m.ask(ctx, key, until.Add(margin))
	switch {
	case err != nil:
		return false, err
	case a.name != key:
		return false, errNonsense
	case earliest.Before(a.since.Add(margin)):
		return false, fmt.Errorf("%w: in Redis it begins at %s; signatures older than that cannot be told from replays",
			ErrForgotten, a.since.UTC().Format(time.RFC3339))
	case !a.now.Before(until):
		return false, fmt.Errorf("%w: the key's time is over", ErrForgotten)
	default:
		return a.first, nil
	}
}

// answer is what the script returns.
type answer struct {
	name       string // the key in question; of a look: Redis's eviction policy
	now, since time.Time
	first      bool
}

// ask runs the script. An empty key asks for a look at the memory only.
func (m *Redis) ask(ctx context.Context, key string, forget time.Time) (answer, error) {
	keys := []string{markerKey, key}
	if key == "" {
		keys = keys[:1]
	}
	reply, err := script.Run(ctx, m.client, keys, m.durable, forget.UnixMilli()).Slice()
	if err != nil {
		return answer{}, fmt.Errorf("Redis cannot be asked: %w", err)
	}
	a, err := parseAnswer(reply)
	if err != nil {
		return answer{}, err
	}
	if drift := m.now().Sub(a.now); drift.Abs() > maxDrift {
		return answer{}, fmt.Errorf("the clock of Redis is %v from ours, more than %v: set both right", drift.Abs(), maxDrift)
	}
	return a, nil
}

func parseAnswer(reply []any) (a answer, err error) {
	if len(reply) != 4 {
		return a, errNonsense
	}
	name, named := reply[0].(string)
	now, err := parseMilli(reply[1])
	if err != nil {
		return a, err
	}
	since, err := parseMilli(reply[2])
	if err != nil {
		return a, err
	}
	first, told := reply[3].(int64)
	if !named || !told || first != 0 && first != 1 {
		return a, errNonsense
	}
	return answer{name: name, now: now, since: since, first: first == 1}, nil
}

func parseMilli(v any) (time.Time, error) {
	text, _ := v.(string)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, errNonsense
	}
	return time.UnixMilli(n), nil
}

// Stats returns the present numbers. Redis is not asked how many keys it holds.
func (m *Redis) Stats() Stats { return Stats{Repeats: m.repeats.Load(), Refused: m.refused.Load()} }

// Close closes the connections.
func (m *Redis) Close() error { return m.client.Close() }
