package replay

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestForgotten takes from Redis what it has remembered, in every way we know. Then what was accepted before must not be
// new again, and what nobody can have accepted before is.
func TestForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		forget func(t *testing.T, v *valkey)
	}{
		"flushed":         {forget: func(t *testing.T, v *valkey) { v.do(t, "FLUSHALL") }},
		"restarted empty": {forget: func(t *testing.T, v *valkey) { v.restart(t) }},
		"restarted from an old snapshot": {forget: func(t *testing.T, v *valkey) {
			v.do(t, "DEL", keyOf(1)) // as if it had not been there yet
			v.do(t, "SAVE")
			v.restart(t)
		}},
		"restarted from a log that lost its end": {args: []string{"--appendonly", "yes"}, forget: func(t *testing.T, v *valkey) {
			v.do(t, "DEL", keyOf(1))
			v.restart(t)
		}},
		"taken over by an empty replica": {forget: func(t *testing.T, v *valkey) { takeOver(t, v, func(*valkey) {}) }},
		"taken over by a replica that lags": {forget: func(t *testing.T, v *valkey) {
			takeOver(t, v, func(heir *valkey) {
				_, port, _ := strings.Cut(v.Address, ":")
				heir.do(t, "REPLICAOF", "127.0.0.1", port)
				await(t, "the replica follows", func() bool { return heir.do(t, "EXISTS", markerKey) == "1" })
				heir.do(t, "REPLICAOF", "NO", "ONE")
				heir.do(t, "DEL", keyOf(1))
			})
		}},
		"evicted": {forget: func(t *testing.T, v *valkey) {
			v.do(t, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
			v.do(t, "CONFIG", "SET", "maxmemory", "1")
			_, _ = v.admin.Set(context.Background(), "filler", "x", time.Hour).Result() // makes room, in vain
			if v.do(t, "EXISTS", keyOf(1)) != "0" {
				t.Fatal("the key is still there")
			}
			v.do(t, "CONFIG", "SET", "maxmemory", "0")
		}},
		"marker gone": {forget: func(t *testing.T, v *valkey) { v.do(t, "DEL", markerKey, keyOf(1)) }},
		"marker overwritten": {forget: func(t *testing.T, v *valkey) {
			v.do(t, "SET", markerKey, "0")
			v.do(t, "DEL", keyOf(1))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			v := startValkey(t, c.args...)
			m := v.openAged(t)
			if first, err := ask(m, 1); !first || err != nil {
				t.Fatal(first, err)
			}
			before := time.Now()
			c.forget(t, v)
			look(t, m)
			first, err := ask(m, 1)
			if first || !errors.Is(err, ErrForgotten) ||
				!strings.Contains(err.Error(), "in Redis it begins at "+strconv.Itoa(before.UTC().Year())) {
				t.Errorf("what was accepted before: %v, %v", first, err)
			}
			at := time.Now().Add(margin) // what is signed from now on
			for _, want := range []bool{true, false} {
				if first, err := m.First(t.Context(), numbered(2), at, at.Add(time.Minute)); first != want || err != nil {
					t.Errorf("what nobody can have accepted: %v, %v", first, err)
				}
			}
		})
	}
}

func keyOf(i int) string { return keyName(numbered(i)) }

// takeOver puts another server in the place of v.
func takeOver(t *testing.T, v *valkey, prepare func(heir *valkey)) {
	t.Helper()
	heir := startValkey(t)
	prepare(heir)
	v.Kill()
	relayOn(t, v.Address, heir.Address)
}

// TestBegins: the memory answers about what came after the marker, with room for clocks that differ.
func TestBegins(t *testing.T) {
	m := startValkey(t).open(t)
	enough := look(t, m).since.Add(2 * maxDrift)
	until := time.Now().Add(time.Minute)
	if first, err := m.First(t.Context(), numbered(1), enough.Add(-time.Millisecond), until); first || !errors.Is(err, ErrForgotten) {
		t.Errorf("a moment too early: %v, %v", first, err)
	}
	if first, err := m.First(t.Context(), numbered(2), enough, until); !first || err != nil {
		t.Errorf("%v, %v", first, err)
	}
}

// TestKept: with a Redis that keeps all it acknowledges, a restart costs nothing.
func TestKept(t *testing.T) {
	v := startValkey(t, "--appendonly", "yes", "--appendfsync", "always")
	m := v.openAged(t, func(o *RedisOptions) { o.Durable = true })
	if first, err := ask(m, 1); !first || err != nil {
		t.Fatal(first, err)
	}
	v.restart(t)
	if first, err := ask(m, 1); first || err != nil {
		t.Errorf("what was accepted before: %v, %v", first, err)
	}
	if first, err := ask(m, 2); !first || err != nil {
		t.Errorf("what was not: %v, %v", first, err)
	}
	v.do(t, "FLUSHALL")
	if first, err := ask(m, 3); first || !errors.Is(err, ErrForgotten) {
		t.Errorf("flushed: %v, %v", first, err)
	}
}

// TestShared: what one client has accepted another refuses, and a new one finds the memory as old as it is.
func TestShared(t *testing.T) {
	v := startValkey(t)
	one, other := v.openAged(t), v.open(t)
	for i, m := range []*Redis{one, other, v.open(t)} {
		if first, err := ask(m, 1); first != (i == 0) || err != nil {
			t.Errorf("client %d: %v, %v", i, first, err)
		}
	}
}

// TestKeys: keys go once no clock can accept them any more, and the marker stays.
func TestKeys(t *testing.T) {
	v := startValkey(t)
	m := v.openAged(t)
	until := time.Now().Add(time.Minute)
	if first, err := m.First(t.Context(), numbered(1), time.Now(), until); !first || err != nil {
		t.Fatal(first, err)
	}
	if got, want := v.do(t, "PEXPIRETIME", keyOf(1)), strconv.FormatInt(until.Add(margin).UnixMilli(), 10); got != want {
		t.Errorf("forgotten at %s, want %s", got, want)
	}
	if got := v.do(t, "PTTL", markerKey); got != "-1" {
		t.Errorf("the marker ends in %s ms", got)
	}
	if got := v.do(t, "DBSIZE"); got != "2" {
		t.Errorf("%s keys", got)
	}
}

// TestDrift: whoever is too far from Redis's clock gets no answer, in either direction.
func TestDrift(t *testing.T) {
	v := startValkey(t)
	var clock shifted
	m := v.openAged(t, func(o *RedisOptions) { o.Now = clock.now })
	for i, c := range []struct {
		by   time.Duration
		told bool
	}{{0, true}, {-time.Second, true}, {time.Second / 2, true}, {-3 * time.Second, false}, {3 * time.Second, false}, {time.Hour, false}} {
		clock.by.Store(int64(c.by))
		first, err := ask(m, i)
		if first != c.told || (err == nil) != c.told {
			t.Errorf("%v off: %v, %v", c.by, first, err)
		}
		if err != nil && !strings.Contains(err.Error(), "the clock of Redis is") {
			t.Error(err)
		}
	}
}

// TestLogIsWritten makes sure that TestForgotten's log and snapshot are real: a restart brings them back.
func TestLogIsWritten(t *testing.T) {
	for name, args := range map[string][]string{"log": {"--appendonly", "yes"}, "snapshot": nil} {
		t.Run(name, func(t *testing.T) {
			v := startValkey(t, args...)
			m := v.openAged(t)
			if first, err := ask(m, 1); !first || err != nil {
				t.Fatal(first, err)
			}
			if args == nil {
				v.do(t, "SAVE")
			}
			v.restart(t)
			if v.do(t, "EXISTS", keyOf(1), markerKey) != "2" {
				t.Error("nothing came back")
			}
		})
	}
}
