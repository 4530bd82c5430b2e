package harness

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"
)

// TestProxy asks a server that answers each line with the same line.
func TestProxy(t *testing.T) {
	l, err := listen(0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					fmt.Fprintln(conn, lines.Text())
				}
			}()
		}
	}()
	p, err := StartProxy(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()

	one, two := connect(t, p), connect(t, p)
	one.says(t, "a", "a")

	p.Swap()
	one.sends(t, "1")
	two.sends(t, "2")
	one.hears(t, "2")
	two.hears(t, "1")
	if n := p.Swapped(); n != 1 {
		t.Errorf("%d pairs swapped", n)
	}
	p.Mend()

	held := p.Hold([]byte("secret"))
	one.sends(t, "a secret")
	<-held.Arrived
	two.says(t, "another secret", "another secret") // only the first is held
	held.Release()
	one.hears(t, "a secret")

	p.Hang()
	one.sends(t, "lost")
	p.Mend()
	one.sends(t, "lost too")
	one.silent(t)
	two.silent(t)

	three := connect(t, p)
	p.Lose([]byte("LISTEN"))
	three.says(t, "a", "a")
	three.sends(t, "LISTEN")
	three.silent(t)

	four := connect(t, p)
	four.says(t, "a", "a")
	p.Cut()
	four.ends(t)
	connect(t, p).ends(t)
}

// talk is one connection through the Proxy.
type talk struct {
	net.Conn

	lines *bufio.Reader
}

func connect(t *testing.T, p *Proxy) talk {
	t.Helper()
	conn, err := net.Dial("tcp", p.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return talk{conn, bufio.NewReader(conn)}
}

func (c talk) sends(t *testing.T, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(c, line); err != nil {
		t.Fatal(err)
	}
}

func (c talk) hears(t *testing.T, line string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if got, err := c.lines.ReadString('\n'); got != line+"\n" {
		t.Fatalf("heard %q, %v; want %q", got, err, line)
	}
}

func (c talk) says(t *testing.T, line, answer string) {
	t.Helper()
	c.sends(t, line)
	c.hears(t, answer)
}

// silent expects the connection to say nothing, and not to end.
func (c talk) silent(t *testing.T) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, err := c.lines.ReadByte()
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("it is not silent: %v", err)
	}
}

func (c talk) ends(t *testing.T) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	_, err := c.lines.ReadByte()
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("it did not end: %v", err)
	}
}
