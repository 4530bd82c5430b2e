package telemetry

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// serve starts the operators' listener and returns its URL.
func serve(t *testing.T, tel *Telemetry, withPProf bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ops, done := NewOps(tel, withPProf, slog.New(slog.DiscardHandler)), make(chan error, 1)
	go func() { done <- ops.Serve(l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := ops.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve returned %v after Close", err)
		}
	})
	return "http://" + l.Addr().String()
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func TestReadyz(t *testing.T) {
	tel := start(t, Options{})
	url := serve(t, tel, false)
	expect := func(name string, code int, body string) {
		t.Helper()
		gotCode, gotBody := get(t, url+"/readyz")
		if gotCode != code || strings.TrimSpace(gotBody) != body {
			t.Errorf("%s: %d %s\nwant %d %s", name, gotCode, gotBody, code, body)
		}
	}
	expect("before the start", 503,
		`{"status":"not ready","reasons":[{"component":"startup","reason":"the first load has not finished"}]}`)
	tel.Health.Unready("keystore", "no answer")
	tel.Health.Unready("extauthz", "not listening")
	expect("two reasons", 503,
		`{"status":"not ready","reasons":[{"component":"extauthz","reason":"not listening"},{"component":"keystore","reason":"no answer"}]}`)
	tel.Health.Started()
	tel.Health.OK("extauthz")
	tel.Health.Degraded("keystore", "slow")
	expect("degraded", 200, `{"status":"ready","degraded":[{"component":"keystore","reason":"slow"}]}`)
	tel.Health.OK("keystore")
	expect("ready", 200, `{"status":"ready"}`)
	tel.Health.Unready("shutdown", "stopping")
	expect("stopping", 503, `{"status":"not ready","reasons":[{"component":"shutdown","reason":"stopping"}]}`)
	if code, body := get(t, url+"/healthz"); code != 200 || strings.TrimSpace(body) != `{"status":"alive"}` {
		t.Errorf("healthz while stopping: %d %s", code, body)
	}
}

func TestMetricsPage(t *testing.T) {
	tel := start(t, Options{Version: "v1.2.3", Commit: "abc"})
	code, body := get(t, serve(t, tel, false)+"/metrics")
	if code != 200 {
		t.Fatalf("status %d: %s", code, body)
	}
	for _, want := range []string{
		`postern_build_info{commit="abc",go="go`, `version="v1.2.3"} 1`, "postern_ready 0", "postern_degraded 0",
		`postern_reload_total{result="failure"} 0`, "postern_check_duration_seconds_bucket", "go_goroutines", "process_cpu_seconds_total",
		"postern_decision_log_dropped_total 0",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

func TestPaths(t *testing.T) {
	tel := start(t, Options{})
	plain, profiled := serve(t, tel, false), serve(t, tel, true)
	for _, tt := range []struct {
		url  string
		want int
	}{
		{plain + "/", 404}, {plain + "/debug/pprof/", 404}, {plain + "/debug/pprof/heap", 404}, {plain + "/healthz/x", 404},
		{profiled + "/debug/pprof/", 200}, {profiled + "/debug/pprof/goroutine?debug=1", 200}, {profiled + "/debug/pprof/cmdline", 404},
	} {
		if code, _ := get(t, tt.url); code != tt.want {
			t.Errorf("%s: %d, want %d", tt.url, code, tt.want)
		}
	}
	resp, err := http.Post(plain+"/readyz", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d, want 405", resp.StatusCode)
	}
}

func TestServeSaysWhyItEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := NewOps(start(t, Options{}), false, slog.New(slog.DiscardHandler)).Serve(l); err == nil {
		t.Error("no error from a closed listener")
	}
}
