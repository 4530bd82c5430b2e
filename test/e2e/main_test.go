// Package e2e sends real requests through a real Envoy and a real Postern to an upstream that counts what reaches it.
//
// Every scenario runs behind two Envoys: the recommended configuration, envoy/envoy.yaml as it stands, and a naive one,
// testdata/naive.yaml. Scenarios in testdata/scenarios are txtar files of requests, byte by byte, with the answers
// they must get; what needs code (signatures, tokens, failures, load) stands in the tests. After every request the
// upstream's count is asserted: what was denied must not have reached it.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// world is what all tests share. Tests that stop or reload something start their own.
var world struct {
	root, bin, envoyBin, dir string
	shop                     *harness.Shop
	creds                    map[string]string // named credentials of the scenarios
	upstream                 *harness.Upstream
	postern                  *harness.Postern
	gates                    []gate
}

// gate is one Envoy in front of the shared Postern.
type gate struct {
	name string // recommended or naive
	*harness.Envoy
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if world.dir, err = os.MkdirTemp("", "postern-e2e-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(world.dir)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := prepare(ctx); err != nil {
		return 1, err
	}
	resources := filepath.Join(world.dir, "policies")
	if err := writeResources(ctx, resources); err != nil {
		return 1, err
	}
	if world.upstream, err = harness.NewUpstream(0, false); err != nil {
		return 1, err
	}
	defer world.upstream.Close()
	if world.postern, err = harness.StartPostern(ctx, world.bin, resources, "-c", filepath.Join("testdata", "postern.yaml")); err != nil {
		return 1, err
	}
	defer func() { world.postern.Kill() }()
	if err := addBroken(ctx, resources); err != nil {
		return 1, err
	}
	for _, name := range []string{"recommended", "naive"} {
		e, err := startEnvoy(ctx, world.dir, name, world.upstream.Port, world.postern.Port)
		if err != nil {
			return 1, err
		}
		defer e.Kill()
		world.gates = append(world.gates, gate{name, e})
	}
	code = m.Run()
	if code == 0 {
		err = findSecrets(ctx)
	}
	if code != 0 || err != nil {
		fmt.Fprintln(os.Stderr, world.postern.Tail())
	}
	return code, err
}

// prepare builds Postern and gets Envoy.
func prepare(ctx context.Context) (err error) {
	if world.root, err = harness.Root(); err != nil {
		return err
	}
	if world.bin, err = harness.Build(ctx, world.root, world.dir); err != nil {
		return err
	}
	world.envoyBin, err = harness.EnvoyBinary(ctx, world.root, os.Stderr)
	return err
}

// startEnvoy starts the named Envoy configuration over one or more Posterns.
func startEnvoy(ctx context.Context, dir, name string, upstream int, postern ...int) (*harness.Envoy, error) {
	config := filepath.Join(world.root, "envoy", "envoy.yaml")
	if name == "naive" {
		config = filepath.Join("testdata", "naive.yaml")
	}
	return harness.StartEnvoy(ctx, harness.EnvoyOptions{
		Binary: world.envoyBin, Config: config, Dir: dir, Postern: postern, Upstream: upstream,
	})
}

// writeResources puts the example policies, those of testdata/policies, and fresh credentials into dir.
func writeResources(ctx context.Context, dir string) (err error) {
	if world.shop, err = harness.NewShop(ctx, world.bin, world.root, dir); err != nil {
		return err
	}
	world.creds = map[string]string{
		"key":       world.shop.Key,
		"reader":    world.shop.Reader,
		"token":     world.shop.Issuer.Token(map[string]any{"scope": "orders:read", "org": "acme"}),
		"gone":      world.shop.Issuer.Token(map[string]any{"iss": "https://gone.example.com"}),
		"injecting": world.shop.Issuer.Token(map[string]any{"note": "a\r\nX-Auth-Subject: root"}),
		"writer":    world.shop.Issuer.Token(map[string]any{"scp": []string{"orders:read", "orders:write"}}),
	}
	closed, err := harness.FreePort(0) // where no key set is served
	if err != nil {
		return err
	}
	fill, err := newPartnerKeys(dir)
	if err != nil {
		return err
	}
	world.creds["partner"] = partner["hmac"]
	fill = append(fill, "{closed}", harness.Loopback(closed))
	for _, name := range []string{"disabled", "expired", "early", "disabled-app", "other-namespace", "stranger"} {
		k, err := harness.GenerateKey(ctx, world.bin)
		if err != nil {
			return err
		}
		world.creds[name] = k.Key
		fill = append(fill, "{"+name+"}", k.Digest)
	}
	files, err := filepath.Glob("testdata/policies/*.yaml")
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		out := filepath.Join(dir, "e2e-"+filepath.Base(file))
		if err := os.WriteFile(out, []byte(strings.NewReplacer(fill...).Replace(string(text))), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// addBroken adds policies that are in error. They are added while Postern runs, since Postern does not start with one.
func addBroken(ctx context.Context, dir string) error {
	text, err := os.ReadFile("testdata/broken.yaml")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.yaml"), text, 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return harness.Await(ctx, "the errors are noticed", func() bool {
		log := world.postern.Stderr()
		return strings.Contains(log, "no-such-scheme") && strings.Contains(log, "was not granted the host paths.test")
	})
}

// send sends a request through the gate and asserts what always holds: an answer of the upstream means that it saw
// this one request, cleaned; any other answer means that it saw nothing.
func (g gate) send(t *testing.T, r harness.Request) (harness.Answer, *harness.Received) {
	t.Helper()
	return g.observe(t, func() (harness.Answer, error) { return r.Send(t.Context(), g.Address) })
}

// observe is send for any way of sending one request.
func (g gate) observe(t *testing.T, send func() (harness.Answer, error)) (harness.Answer, *harness.Received) {
	t.Helper()
	world.upstream.Take()
	a, err := send()
	if err != nil {
		t.Fatalf("%s: %v", g.name, err)
	}
	seen := world.upstream.Take()
	checkSecrets(t, a)
	if a.Status != http.StatusOK || a.Headers.Get("Grpc-Status") != "" {
		if len(seen) != 0 {
			t.Errorf("%s: answered %d, yet the upstream saw %+v", g.name, a.Status, seen)
		}
		checkProblem(t, a)
		return a, nil
	}
	if len(seen) != 1 {
		t.Fatalf("%s: the upstream saw %d requests, want 1", g.name, len(seen))
	}
	checkClean(t, seen[0])
	return a, &seen[0]
}

// eachGate runs a test behind both Envoys.
func eachGate(t *testing.T, test func(t *testing.T, g gate)) {
	t.Helper()
	for _, g := range world.gates {
		t.Run(g.name, func(t *testing.T) { test(t, g) })
	}
}
