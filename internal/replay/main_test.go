package replay

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/postern-auth/postern/test/harness"
)

var valkeyBinary string

func TestMain(m *testing.M) {
	root, err := harness.Root()
	if err == nil {
		valkeyBinary, err = harness.ValkeyBinary(context.Background(), root, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// valkey is a server of one test's own, and a client that may do anything in it.
type valkey struct {
	*harness.Valkey

	admin *redis.Client
}

func startValkey(t testing.TB, args ...string) *valkey {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	v, err := harness.StartValkey(ctx, valkeyBinary, t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	admin := redis.NewClient(&redis.Options{Addr: v.Address, Password: "admin", Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() {
		_ = admin.Close()
		v.Kill()
	})
	return &valkey{v, admin}
}

// do runs a command as the administrator.
func (v *valkey) do(t testing.TB, args ...any) string {
	t.Helper()
	reply, err := v.admin.Do(context.Background(), args...).Result()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return fmt.Sprint(reply)
}

func (v *valkey) restart(t *testing.T) {
	t.Helper()
	v.Kill()
	if err := v.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// age makes the memory begin an hour earlier, as if it had been there.
func (v *valkey) age(t testing.TB) {
	t.Helper()
	since, rest, ok := strings.Cut(v.do(t, "GET", markerKey), " ")
	ms, err := strconv.ParseInt(since, 10, 64)
	if !ok || err != nil {
		t.Fatalf("the marker is %q", since)
	}
	v.do(t, "SET", markerKey, fmt.Sprint(ms-time.Hour.Milliseconds(), " ", rest))
}

func (v *valkey) open(t testing.TB, edits ...func(*RedisOptions)) *Redis {
	t.Helper()
	return openAt(t, v.Address, edits...)
}

// openAt makes a Redis that waits longer than users would, for busy machines.
func openAt(t testing.TB, address string, edits ...func(*RedisOptions)) *Redis {
	t.Helper()
	o := RedisOptions{
		Network: "tcp", Address: address, Timeout: 2 * time.Second, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	for _, edit := range edits {
		edit(&o)
	}
	m, err := NewRedis(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// openAged makes a Redis whose memory is an hour old.
func (v *valkey) openAged(t testing.TB, edits ...func(*RedisOptions)) *Redis {
	t.Helper()
	m := v.open(t, edits...)
	look(t, m)
	v.age(t)
	return m
}

// look touches the memory, as Watch does.
func look(t testing.TB, m *Redis) answer {
	t.Helper()
	a, err := m.ask(context.Background(), "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask asks about a numbered key that could have been accepted a minute ago, and for another minute.
func ask(m Memory, i int) (bool, error) {
	t := time.Now()
	return m.First(context.Background(), numbered(i), t.Add(-time.Minute), t.Add(time.Minute))
}

// await waits for a condition that must come true soon.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := harness.Await(ctx, what, done); err != nil {
		t.Fatal(err)
	}
}

// writeFile writes a file of the test's own and returns its path.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// shifted is a clock that can be set.
type shifted struct{ by atomic.Int64 }

func (s *shifted) now() time.Time { return time.Now().Add(time.Duration(s.by.Load())) }
