package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// stored is two Posterns on one PostgreSQL database, each with an admin API, and an operator who gives orders to either.
type stored struct {
	*replicas

	admin    *harness.Admin
	postgres *harness.Postgres
	data     string          // PostgreSQL's directory
	secrets  harness.Secrets // of the configuration, and what commands have printed
	digests  harness.Secrets // the SHA-256 of that, which nobody stores
	logs     strings.Builder // of processes that have been replaced
}

// storedPolicy asks for keys and for nothing else.
const storedPolicy = `apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: old-key, namespace: shop}
spec:
  apiKey: {in: [{header: X-Old-Key}], checksum: Ignored}
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: stored, namespace: shop}
spec:
  hosts: [stored.test]
  rules:
  - name: read
    match: [{path: {prefix: /things}, methods: [GET]}]
    security: [{api-key: [orders:read]}]
  - name: write
    match: [{path: {prefix: /things}}]
    security: [{api-key: [orders:write]}]
  - name: old
    match: [{path: {prefix: /old}}]
    security: [{old-key: [orders:read]}]
`

// newStored starts everything, with an App that has no keys yet. The shortest flush interval there is, every decision in
// the log, and every statement with its values in PostgreSQL's.
func newStored(t *testing.T) *stored {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the first time, PostgreSQL is installed
	defer cancel()
	dir := t.TempDir()
	w := &stored{replicas: &replicas{own: &own{}}, data: filepath.Join(dir, "data"), digests: harness.Secrets{}}
	var err error
	w.postgres, err = harness.StartPostgres(ctx, dir, "fsync=off", "log_statement=all", "log_parameter_max_length=-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.postgres.Kill() }) // the process that runs by then
	dsn, err := w.postgres.CreateDatabase(ctx, "postern")
	if err != nil {
		t.Fatal(err)
	}
	w.admin, err = harness.NewAdmin(ctx, world.bin, dir, dsn, "usage: {flushInterval: 1s}", "telemetry: {decisionLog: {sampleAllows: 1}}")
	if err != nil {
		t.Fatal(err)
	}
	w.secrets = maps.Clone(w.admin.Secrets)
	w.secrets["PostgreSQL's password"] = harness.PostgresPassword
	if w.shop, err = harness.NewShop(ctx, world.bin, world.root, filepath.Join(dir, "policies")); err != nil {
		t.Fatal(err)
	}
	w.write(t, "stored.yaml", storedPolicy)
	w.start(ctx, t, dir, func(replica int) []string { return []string{"-c", w.admin.Config, "--admin", w.server(replica)} })
	w.order(t, 0, "apps", "create", "globex", "--scopes", "orders:read,orders:write", "--labels", "tier=partner")
	return w
}

// server is the address of a replica's admin API.
func (w *stored) server(replica int) string {
	return fmt.Sprintf("unix://%s/admin-%d.sock", filepath.Dir(w.admin.Config), replica)
}

// order runs a command as the operator, at one of the replicas, and returns what it prints.
func (w *stored) order(t *testing.T, replica int, args ...string) string {
	t.Helper()
	out, err := w.admin.Run(t.Context(), append(args, "--server", w.server(replica))...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// orderJSON is order for the answer in JSON.
func (w *stored) orderJSON(t *testing.T, replica int, answer any, args ...string) {
	t.Helper()
	if err := json.Unmarshal([]byte(w.order(t, replica, append(args, "-o", "json")...)), answer); err != nil {
		t.Fatalf("postern %s: %v", args[0], err)
	}
}

// obtain runs a command that prints a secret, and returns that.
func (w *stored) obtain(t *testing.T, replica int, args ...string) string {
	t.Helper()
	secret := w.order(t, replica, args...)
	if len(secret) < 32 || strings.ContainsAny(secret, " \n") {
		t.Fatalf("postern %s printed no secret", strings.Join(args, " "))
	}
	digest := sha256.Sum256([]byte(secret))
	what := "what was printed by " + strings.Join(args, " ")
	w.secrets[what], w.digests["the SHA-256 of "+what] = secret, string(digest[:])
	return secret
}

// issue obtains an API key of globex from a replica.
func (w *stored) issue(t *testing.T, replica int, name string, more ...string) string {
	t.Helper()
	return w.obtain(t, replica, append([]string{"keys", "issue", "globex", "--name", name}, more...)...)
}

// things is a request with a key.
func things(method, key string) harness.Request {
	return harness.Request{Method: method, Target: "/things/1", Fields: []string{"Host: stored.test", "X-API-Key: " + key}}
}

// soon waits until every replica answers the request so.
func (w *stored) soon(t *testing.T, what string, r harness.Request, want int) {
	t.Helper()
	for replica := range w.envoys {
		await(t, 10*time.Second, what, func() bool { return w.send(t, replica, r) == want })
	}
}

// sees asserts that the request passes, and what the upstream sees of its caller.
func (w *stored) sees(t *testing.T, replica int, r harness.Request, identity map[string]string) {
	t.Helper()
	a := w.exchange(t, replica, r)
	seen, err := a.Echo()
	if a.Status != 200 || err != nil {
		t.Fatalf("replica %d: %d %s (%v)", replica, a.Status, a.Body, err)
	}
	for name, want := range identity {
		if got := strings.Join(seen.Headers[name], ", "); got != want {
			t.Errorf("replica %d: the upstream saw %s: %q, want %q", replica, name, got, want)
		}
	}
	checkClean(t, seen)
}

// kill ends a replica with SIGKILL. What it has logged is kept.
func (w *stored) kill(replica int) {
	p := w.posterns[replica]
	p.Kill()
	w.logs.WriteString(p.Stdout() + p.Stderr())
}

// stopPostgres cuts all connections and ends the server, which has written everything to its files then.
func (w *stored) stopPostgres(t *testing.T) {
	t.Helper()
	if err := w.postgres.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-w.postgres.Done()
	w.logs.WriteString(w.postgres.Stderr())
}

// TestStoredKeys is the life of keys in a database that two replicas share.
func TestStoredKeys(t *testing.T) {
	w := newStored(t)
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"issue", w.testIssue},
		{"kinds", w.testKinds},
		{"rotate", w.testRotate},
		{"disable", w.testDisable},
		{"revoke", w.testRevoke},
		{"usage", w.testUsage},
		{"flood", w.testFlood},
		{"outage", w.testOutage},
		{"secrets", w.testSecrets}, // the last: it looks at what all the others have left
	} {
		if !t.Run(part.name, part.test) {
			return
		}
	}
}
