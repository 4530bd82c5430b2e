package chart

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/telemetry"
	"github.com/postern-auth/postern/test/harness"
)

// exported returns the names of all metrics that a server of ours can export.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	tel := telemetry.New(telemetry.Options{})
	tel.RegisterCache("tokens", func() telemetry.CacheStats { return telemetry.CacheStats{} })
	tel.RegisterKeySets(func() []telemetry.KeySetStats { return []telemetry.KeySetStats{{Source: "https://issuer.example"}} })
	tel.RegisterReplay(func() telemetry.ReplayStats { return telemetry.ReplayStats{Capacity: 1} })
	tel.RegisterStatuses(func() telemetry.StatusStats { return telemetry.StatusStats{} })
	tel.RegisterKeyStore(
		func() telemetry.KeyStoreStats {
			return telemetry.KeyStoreStats{Expiring: []telemetry.ExpiringKeys{{Namespace: "shop", Keys: 1}}}
		},
		func() telemetry.UsageStats { return telemetry.UsageStats{} },
	)
	tel.RegisterAdmin()("KeyService/IssueKey", "ok")
	tel.RegisterPanics(func() uint64 { return 0 })
	tel.Reloaded(telemetry.Reload{
		Resources: []telemetry.ResourceCount{{Kind: "App", State: telemetry.ResourceActive, Count: 1}},
		Routes:    []telemetry.RouteCount{{Kind: "HTTPRoute", Namespace: "shop", Routes: 1}},
	})
	tel.Observe(&authz.Request{}, &authz.Decision{}, time.Millisecond)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ops := telemetry.NewOps(tel, false, slog.New(slog.DiscardHandler))
	go func() { _ = ops.Serve(listener) }()
	t.Cleanup(func() { _ = ops.Close(context.Background()) })
	resp, err := http.Get("http://" + listener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name := word.FindString(line); name != "" && !strings.HasPrefix(line, "#") {
			names[name] = true
		}
	}
	return names
}

var (
	word   = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	metric = regexp.MustCompile(`\b(postern|process|go)_[a-z0-9_]+\b`)
)

// TestMetricsExist: alerts and the dashboard ask for metrics that the server exports, and the dashboard shows all of
// the server's own.
func TestMetricsExist(t *testing.T) {
	known := exported(t)
	asked := map[string]bool{}
	for _, name := range []string{"alerts.yaml", "dashboard.json"} {
		text, err := os.ReadFile(filepath.Join(world.chart, "files", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range metric.FindAllString(string(text), -1) {
			asked[m] = true
			if !known[m] {
				t.Errorf("%s asks for %s, which nothing exports", name, m)
			}
		}
	}
	if len(asked) < 20 {
		t.Errorf("only %v are asked for", slices.Sorted(maps.Keys(asked)))
	}
	for name := range known {
		base := strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count")
		if strings.HasPrefix(name, "postern_") && !asked[name] && !asked[base+"_bucket"] {
			t.Errorf("%s is neither in the dashboard nor in an alert", name)
		}
	}
}

// TestAlerts: Prometheus takes the alerts, and they fire when they should.
func TestAlerts(t *testing.T) {
	promtool, err := harness.Promtool.Path(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", "rules", "--lint=all", "--lint-fatal", filepath.Join(world.chart, "files", "alerts.yaml")},
		{"test", "rules", filepath.Join("testdata", "alerts_test.yaml")},
	} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestDashboard: it is JSON, its panels do not overlap, and each asks something.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(world.chart, "files", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("%s: another panel has id %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && (len(p.Targets) == 0 || p.Targets[0].Expr == "") {
			t.Errorf("%s asks nothing", p.Title)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := taken[at]; other != "" || at[0] >= 24 {
					t.Fatalf("%s lies on %q, or outside, at %v", p.Title, other, at)
				}
				taken[at] = p.Title
			}
		}
	}
}
