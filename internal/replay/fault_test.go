package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestFaults: a Redis that cannot answer as it should is an error, and no reason to restart anything.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		breaks, mends func(t *testing.T, v *valkey)
		want          string // in the error
	}{
		"killed": {
			breaks: func(_ *testing.T, v *valkey) { v.Kill() },
			mends: func(t *testing.T, v *valkey) {
				if err := v.Restart(t.Context()); err != nil {
					t.Fatal(err)
				}
			},
			want: "connection refused",
		},
		"hung": {
			breaks: func(t *testing.T, v *valkey) { signal(t, v, syscall.SIGSTOP) },
			mends:  func(t *testing.T, v *valkey) { signal(t, v, syscall.SIGCONT) },
			want:   "timeout",
		},
		"read-only": {
			breaks: func(t *testing.T, v *valkey) { v.do(t, "REPLICAOF", "127.0.0.1", "1") },
			mends:  func(t *testing.T, v *valkey) { v.do(t, "REPLICAOF", "NO", "ONE") },
			want:   "READONLY",
		},
		"full": {
			breaks: func(t *testing.T, v *valkey) { v.do(t, "CONFIG", "SET", "maxmemory", "1") },
			mends:  func(t *testing.T, v *valkey) { v.do(t, "CONFIG", "SET", "maxmemory", "0") },
			want:   "OOM",
		},
		"a new password": {
			breaks: func(t *testing.T, v *valkey) {
				v.do(t, "CONFIG", "SET", "requirepass", "admin")
				v.do(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
			},
			mends: func(t *testing.T, v *valkey) { v.do(t, "CONFIG", "SET", "requirepass", "") },
			want:  "NOAUTH",
		},
		"a key of another type": {
			breaks: func(t *testing.T, v *valkey) { v.do(t, "DEL", markerKey); v.do(t, "LPUSH", markerKey, "1") },
			mends:  func(t *testing.T, v *valkey) { v.do(t, "DEL", markerKey) },
			want:   "WRONGTYPE",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := startValkey(t)
			m := v.openAged(t)
			short := v.openAged(t, func(o *RedisOptions) { o.Timeout = 100 * time.Millisecond })
			if first, err := ask(m, 1); !first || err != nil {
				t.Fatal(first, err)
			}
			c.breaks(t, v)
			for range 30 { // more than there are connections
				if first, err := ask(short, 2); first || err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("%v, %v, want %s", first, err, c.want)
				}
			}
			c.mends(t, v)
			await(t, "Redis answers again", func() bool {
				_, err := m.ask(t.Context(), "", time.Time{})
				return err == nil
			})
			at := time.Now().Add(margin)
			if first, err := m.First(t.Context(), numbered(3), at, at.Add(time.Minute)); !first || err != nil {
				t.Errorf("afterwards: %v, %v", first, err)
			}
			if first, _ := ask(m, 1); first {
				t.Error("what was accepted before is new")
			}
		})
	}
}

func signal(t *testing.T, v *valkey, s syscall.Signal) {
	t.Helper()
	if err := v.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// TestDeadline: the caller's deadline counts where it is earlier than the timeout.
func TestDeadline(t *testing.T) {
	v := startValkey(t)
	m := v.openAged(t, func(o *RedisOptions) { o.Timeout = time.Hour })
	signal(t, v, syscall.SIGSTOP)
	for range 2 { // over a connection that is there, and over a new one
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		first, err := m.First(ctx, numbered(1), time.Now(), time.Now().Add(time.Minute))
		cancel()
		if first || err == nil {
			t.Errorf("%v, %v", first, err)
		}
	}
}

// TestNonsense: only an answer to the very question counts.
func TestNonsense(t *testing.T) {
	now := fmt.Sprint(time.Now().UnixMilli())
	array := func(parts ...string) string {
		reply := fmt.Sprintf("*%d\r\n", len(parts))
		for _, p := range parts {
			if strings.HasPrefix(p, ":") {
				reply += p + "\r\n"
			} else {
				reply += fmt.Sprintf("$%d\r\n%s\r\n", len(p), p)
			}
		}
		return reply
	}
	for name, c := range map[string]struct {
		reply string
		first bool
	}{
		"an answer":            {array(keyOf(1), now, "1", ":1"), true},
		"a repeat":             {array(keyOf(1), now, "1", ":0"), false},
		"about another key":    {array(keyOf(2), now, "1", ":1"), false},
		"a look":               {array("noeviction", now, "1", ":1"), false},
		"too short":            {array(keyOf(1), now, "1"), false},
		"too long":             {array(keyOf(1), now, "1", ":1", ":1"), false},
		"empty":                {"*0\r\n", false},
		"nothing":              {"*-1\r\n", false},
		"yes in words":         {array(keyOf(1), now, "1", "1"), false},
		"two":                  {array(keyOf(1), now, "1", ":2"), false},
		"no time":              {array(keyOf(1), "", "1", ":1"), false},
		"time as a number":     {array(keyOf(1), ":"+now, "1", ":1"), false},
		"another time":         {array(keyOf(1), "1", "1", ":1"), false},
		"no beginning":         {array(keyOf(1), now, "", ":1"), false},
		"a beginning to come":  {array(keyOf(1), now, "9"+now, ":1"), false},
		"OK":                   {"+OK\r\n", false},
		"a number":             {":1\r\n", false},
		"an error":             {"-ERR no\r\n", false},
		"a redirection":        {"-MOVED 1 127.0.0.1:1\r\n", false},
		"a key for an array":   {"$1\r\n1\r\n", false},
		"HTTP":                 {"HTTP/1.1 400 Bad Request\r\n\r\n", false},
		"an array never ended": {"*4\r\n:1\r\n", false},
		"hanging up":           {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := openAt(t, impostor(t, c.reply), func(o *RedisOptions) { o.Timeout = 200 * time.Millisecond })
			first, err := ask(m, 1)
			if first != c.first || (err == nil) != (name == "an answer" || name == "a repeat") {
				t.Errorf("%v, %v", first, err)
			}
		})
	}
}

// impostor answers every script with the same bytes, or hangs up if there are none.
func impostor(t *testing.T, reply string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					switch strings.ToLower(lines.Text()) {
					case "hello":
						fmt.Fprint(conn, "-ERR unknown command\r\n")
					case "evalsha":
						if reply == "" {
							return
						}
						fmt.Fprint(conn, reply)
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		stop()
		_ = l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// TestUser connects as a user that may do what the comment of Redis says, and no more.
func TestUser(t *testing.T) {
	v := startValkey(t)
	v.do(t, "ACL", "SETUSER", "postern", "on", ">secret", "~{postern:replay}:*",
		"-@all", "+eval", "+evalsha", "+get", "+set", "+info", "+time")
	v.do(t, "ACL", "SETUSER", "default", "on", "nopass", "-@all", "+acl", "+get", "+set")
	password := writeFile(t, "secret\n")
	as := func(o *RedisOptions) { o.Username, o.PasswordFile = "postern", password }
	m := v.openAged(t, as)
	for _, want := range []bool{true, false} {
		if first, err := ask(m, 1); first != want || err != nil {
			t.Errorf("%v, %v", first, err)
		}
	}
	for _, command := range []string{"eval", "get", "set", "info", "time"} {
		v.do(t, "ACL", "SETUSER", "postern", "-evalsha", "+evalsha", "-"+command)
		if command == "eval" {
			continue // needed once, when Redis does not know the script
		}
		if first, err := ask(m, 2); first || err == nil {
			t.Errorf("without %s: %v, %v", command, first, err)
		}
		v.do(t, "ACL", "SETUSER", "postern", "+"+command)
	}

	if err := os.WriteFile(password, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	m = v.open(t, as)
	first, err := ask(m, 3)
	if first || err == nil || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "secret") {
		t.Errorf("the wrong password: %v, %v", first, err)
	}
	if err := os.WriteFile(password, []byte("secret"), 0o600); err != nil { // replaced while we run
		t.Fatal(err)
	}
	if first, err := ask(m, 3); !first || err != nil {
		t.Errorf("the right password: %v, %v", first, err)
	}
}

// TestOptions refuses files that cannot be used before anything connects.
func TestOptions(t *testing.T) {
	empty := writeFile(t, "\n")
	for want, o := range map[string]RedisOptions{
		"passwordFile: open /nowhere":          {PasswordFile: "/nowhere"},
		"is empty; write the password into it": {PasswordFile: empty},
		"tls.caFile: open /nowhere":            {TLS: &RedisTLS{CAFile: "/nowhere"}},
		"holds no PEM certificate":             {TLS: &RedisTLS{CAFile: empty}},
		"tls.certFile: " + empty:               {TLS: &RedisTLS{CertFile: empty, KeyFile: empty}},
	} {
		if m, err := NewRedis(o); m != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	_, err := NewRedis(RedisOptions{PasswordFile: "/nowhere"})
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
