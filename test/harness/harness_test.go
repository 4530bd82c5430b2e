package harness

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRewritePorts(t *testing.T) {
	const config = `listener {port_value: 10000}
- endpoint {port_value: 9001}
`
	got, err := rewritePorts(config, map[int][]int{10000: {1}, 9001: {2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	want := `listener {port_value: 1}
- endpoint {port_value: 2}
- endpoint {port_value: 3}
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := rewritePorts(config, map[int][]int{8080: {1}}); err == nil || !strings.Contains(err.Error(), "8080") {
		t.Errorf("a port that is not there: %v", err)
	}
}

func TestFreePort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	first, err := FreePort(taken)
	if err != nil || first == taken {
		t.Fatalf("got %d (%v) although %d is taken", first, err, taken)
	}
	second, err := FreePort(first)
	if err != nil || second == first {
		t.Errorf("got %d (%v), which was given before", second, err)
	}
}

// TestKill: what a child has started ends with it.
func TestKill(t *testing.T) {
	p, err := Start("shell", "/bin/sh", "-c", "sleep 1000 & echo $!; wait")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := Await(ctx, "the grandchild runs", func() bool { return strings.HasSuffix(p.Stdout(), "\n") }); err != nil {
		t.Fatal(err)
	}
	grandchild, err := strconv.Atoi(strings.TrimSpace(p.Stdout()))
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	p.Kill()
	if !p.Exited() || p.ExitCode() != -1 {
		t.Errorf("exited %v with %d", p.Exited(), p.ExitCode())
	}
	gone := func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(grandchild) + "/stat")
		return syscall.Kill(grandchild, 0) != nil || err == nil && strings.Contains(string(stat), ") Z ")
	}
	if err := Await(ctx, "the grandchild is gone", gone); err != nil {
		t.Error(err)
	}
}

func TestAwaitReadyTellsWhy(t *testing.T) {
	p, err := Start("broken", "/bin/sh", "-c", "echo the reason >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	err = p.AwaitReady(t.Context(), func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "the reason") || p.ExitCode() != 3 {
		t.Errorf("error %v, exit code %d", err, p.ExitCode())
	}
}
