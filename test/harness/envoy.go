package harness

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The ports that Envoy configurations in this repository are written with, and how long they wait for a check.
const (
	DefaultListener = 10000
	DefaultPostern  = 9001
	DefaultUpstream = 8080
	DefaultAdmin    = 9901

	defaultTimeout = "timeout: 0.25s"
	patience       = "timeout: 3s" // what a busy machine takes for a check is not what is tested
)

// Envoy is a running Envoy.
type Envoy struct {
	*Process
	Address string // where clients connect
	admin   string
}

// EnvoyOptions say which Envoy to start, and with what.
type EnvoyOptions struct {
	Binary   string
	Config   string // a file written with the default ports
	Dir      string // where the rewritten configuration goes
	Listener int    // 0: any free port
	Postern  []int  // ports of one or more Posterns
	Upstream int
}

// StartEnvoy starts Envoy and waits until it listens. When another process grabs a port first it tries other ports.
func StartEnvoy(ctx context.Context, o EnvoyOptions) (*Envoy, error) {
	var err error
	for range 3 {
		var e *Envoy
		if e, err = startEnvoy(ctx, o); err == nil || !strings.Contains(err.Error(), "Address already in use") {
			return e, err
		}
	}
	return nil, err
}

func startEnvoy(ctx context.Context, o EnvoyOptions) (*Envoy, error) {
	listener, err := FreePort(o.Listener)
	if err != nil {
		return nil, err
	}
	admin, err := FreePort(0)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(o.Config)
	if err != nil {
		return nil, err
	}
	config, err := rewritePorts(string(text), map[int][]int{
		DefaultListener: {listener}, DefaultAdmin: {admin}, DefaultPostern: o.Postern, DefaultUpstream: {o.Upstream},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Config, err)
	}
	config = strings.Replace(config, defaultTimeout, patience, 1)
	name := strings.TrimSuffix(filepath.Base(o.Config), ".yaml")
	path := filepath.Join(o.Dir, fmt.Sprintf("%s-%d.yaml", name, listener))
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	p, err := Start("envoy ("+name+")", o.Binary,
		"-c", path, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning",
		"--file-flush-interval-msec", "50") // of the access log
	if err != nil {
		return nil, err
	}
	e := &Envoy{Process: p, Address: Loopback(listener), admin: "http://" + Loopback(admin)}
	return e, p.AwaitReady(ctx, func() bool { return OK(ctx, e.admin+"/ready") })
}

// Stat returns one of Envoy's counters or gauges.
func (e *Envoy) Stat(ctx context.Context, name string) (int, error) {
	body, err := Fetch(ctx, e.admin+"/stats?usedonly&filter=^"+name+"$")
	if err != nil {
		return 0, err
	}
	_, value, ok := strings.Cut(strings.TrimSpace(body), ": ")
	if !ok {
		return 0, nil
	}
	return strconv.Atoi(value)
}

// rewritePorts replaces default ports. A line whose port has several replacements is repeated for each: endpoints
// stand on lines of their own.
func rewritePorts(config string, ports map[int][]int) (string, error) {
	for from, to := range ports {
		old := fmt.Sprintf("port_value: %d}", from)
		var out strings.Builder
		found := false
		for line := range strings.Lines(config) {
			if !strings.Contains(line, old) {
				out.WriteString(line)
				continue
			}
			found = true
			for _, port := range to {
				out.WriteString(strings.ReplaceAll(line, old, fmt.Sprintf("port_value: %d}", port)))
			}
		}
		if !found {
			return "", fmt.Errorf("no line with %q", old)
		}
		config = out.String()
	}
	return config, nil
}

// Fetch returns the body of a 200 answer.
func Fetch(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return string(body), err
}

// OK reports whether the URL answers 200.
func OK(ctx context.Context, url string) bool {
	_, err := Fetch(ctx, url)
	return err == nil
}
