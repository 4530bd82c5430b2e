package server

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/source"
)

// generation is a directory of which everything bears its name: the scheme's header, the App and the policy.
func generation(t *testing.T, name string) map[string]string {
	t.Helper()
	digest, err := keystore.NewHasher().Digest("", authz.Secret("key"))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"scheme.yaml": fmt.Sprintf(`
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: key}
spec: {realm: %[1]s, apiKey: {checksum: Ignored, in: [{header: X-Key-%[1]s}]}}
`, name),
		"app.yaml": fmt.Sprintf(`
apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: app-%s}
spec: {credentials: [{name: only, apiKey: {digest: %q}}]}
`, name, digest),
		"policy.yaml": fmt.Sprintf(`
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: shop}
spec:
  hosts: [shop.test]
  security: [{key: []}]
  identity: {headers: [{name: X-App, value: principal.app}, {name: X-Gen, value: '%q'}]}
`, "gen-"+name),
	}
}

// TestReloadUnderLoad: while the directory goes back and forth between two generations under load, every check is
// answered, wholly by one of them.
func TestReloadUnderLoad(t *testing.T) {
	i, err := assemble(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The directory is a link that is swapped, as a ConfigMap's is.
	if err := os.RemoveAll(i.dir); err != nil {
		t.Fatal(err)
	}
	root := filepath.Dir(i.dir)
	for _, name := range []string{"a", "b"} {
		for file, text := range generation(t, name) {
			writeFile(t, filepath.Join(root, name, file), text)
		}
	}
	swap := func(name string) {
		if err := os.Symlink(name, i.dir+"~"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(i.dir+"~", i.dir); err != nil {
			t.Fatal(err)
		}
		i.source.Loaded(source.Result{}) // look at once
	}
	swap("a")
	i.runUntilReady()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var seen [2]atomic.Uint64
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			both := map[string]string{"x-key-a": "key", "x-key-b": "key"}
			for ctx.Err() == nil {
				got, err := i.ask(context.Background(), both)
				gen, ok := strings.CutPrefix(got.headers["x-gen"], "gen-")
				if err != nil || got.status != http.StatusOK || !ok || got.headers["x-app"] != "default/app-"+gen {
					t.Errorf("answered %v %v, %v", got, got.headers, err)
					return
				}
				seen[gen[0]-'a'].Add(1)
			}
		})
	}
	for flip := range 10 {
		gen := (flip + 1) % 2
		before := seen[gen].Load()
		swap(string(rune('a' + gen)))
		i.await("swapped", func() bool { return seen[gen].Load() > before+20 || t.Failed() })
	}
	stop()
	load.Wait()
	t.Logf("%d and %d checks", seen[0].Load(), seen[1].Load())
}

// TestReloadError: a mistake shows in the log and the metrics, and goes away with its correction.
func TestReloadError(t *testing.T) {
	i := start(t, map[string]string{"shop.yaml": everybody})
	began := time.Now()
	i.write(map[string]string{"shop.yaml": strings.Replace(everybody, "{}", "{login: []}", 1)})
	i.await("counted", func() bool { return i.metric("postern_resource_errors") == "1" })
	i.await("logged", func() bool {
		return strings.Contains(i.out.String(), `AuthPolicy default/shop: spec.security[0].login`)
	})
	t.Logf("visible after %v", time.Since(began))
	if got := i.metric(`postern_resources{kind="AuthPolicy",state="last_good"}`); got != "1" {
		t.Errorf("%q policies in their last good version", got)
	}
	i.wants(http.StatusOK, "x-any", "thing")
	i.write(map[string]string{"shop.yaml": everybody})
	i.await("corrected", func() bool { return i.metric("postern_resource_errors") == "0" })
	if got := i.metric(`postern_reload_total{result="partial"}`); got != "1" {
		t.Errorf("%q partial reloads", got)
	}

	if err := os.Rename(i.dir, i.dir+"-gone"); err != nil {
		t.Fatal(err)
	}
	i.await("counted", func() bool { return i.metric(`postern_reload_total{result="failure"}`) == "1" })
	i.wants(http.StatusOK, "x-any", "thing")
	i.await("degraded", func() bool { return i.metric("postern_degraded") == "1" })
	if code, body := i.get("/readyz"); code != http.StatusOK || !strings.Contains(body, `"component":"resources"`) {
		t.Errorf("/readyz %d %s", code, body)
	}

	if err := os.Rename(i.dir+"-gone", i.dir); err != nil {
		t.Fatal(err)
	}
	i.await("recovered", func() bool { return i.metric("postern_degraded") == "0" })
}

// TestReferencedFiles: a secret is read again when it changes, wherever it lies, and also if it was not there before.
func TestReferencedFiles(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	app := func(file string) map[string]string {
		return map[string]string{"app.yaml": fmt.Sprintf(`
apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: acme}
spec: {credentials: [{name: signer, signing: {keyId: AK1, secret: {file: %q}}}]}
`, file)}
	}
	i := start(t, map[string]string{"shop.yaml": everybody, ".hidden/secret": strings.Repeat("a", 32)})
	count := func(state, want string) {
		t.Helper()
		i.await(want+" "+state, func() bool { return i.metric(`postern_resources{kind="App",state="`+state+`"}`) == want })
	}
	i.write(app(outside))
	count("invalid", "1")
	writeFile(t, outside, strings.Repeat("b", 32))
	count("active", "1")
	i.write(app(".hidden/secret"))
	reloads := `postern_reload_total{result="success"}`
	i.await("in force", func() bool { return strings.Count(i.out.String(), `"resources in force"`) == 4 })
	before := i.metric(reloads)
	i.write(map[string]string{".hidden/secret": strings.Repeat("c", 32)})
	i.await("read again", func() bool { return i.metric(reloads) != before })
}

// TestKeySetsAcrossReloads: what is fetched for a scheme is fetched once while somebody names it, and no longer.
func TestKeySetsAcrossReloads(t *testing.T) {
	jwks := newKeyServer(t)
	close(jwks.release)
	scheme := loginScheme("login", jwks.URL+"/keys?tenant=a") + "---" + loginScheme("other", jwks.URL+"/keys?tenant=b")
	i := start(t, map[string]string{"shop.yaml": everybody, "login.yaml": loginPolicy, "scheme.yaml": scheme})
	fetches := fmt.Sprintf(`postern_keyset_fetches_total{source="%s/keys"}`, jwks.URL)
	i.await("fetched", func() bool { return i.metric(fetches) == "2" }) // of two addresses that look the same
	if got := i.metric(fmt.Sprintf(`postern_keyset_keys{source="%s/keys"}`, jwks.URL)); got != "2" {
		t.Errorf("%q keys", got)
	}
	inForce := func(n int) {
		t.Helper()
		i.await("in force", func() bool { return strings.Count(i.out.String(), `"resources in force"`) == n })
	}
	i.write(map[string]string{"scheme.yaml": scheme + "# changed\n", "login.yaml": loginPolicy + "# changed\n"})
	inForce(2)
	i.write(map[string]string{"scheme.yaml": strings.ReplaceAll(scheme, "audiences: [shop]", "audiences: []")})
	inForce(3) // in error: the last good versions still need their keys
	if got := i.metric(fetches); got != "2" || jwks.waiting.Load() != 2 {
		t.Errorf("%q fetches", got)
	}
	i.write(map[string]string{"scheme.yaml": loginScheme("other", jwks.URL+"/keys?tenant=b")})
	i.await("released", func() bool { return i.metric(fetches) == "1" })
	i.write(map[string]string{"scheme.yaml": ""})
	i.await("released", func() bool { return i.metric(fetches) == "" })
}
