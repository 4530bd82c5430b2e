package e2e

import (
	"crypto/rand"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/test/harness"
)

// used returns how many requests are on record for a key.
func (w *stored) used(t *testing.T, key string) (n int) {
	t.Helper()
	var answer struct {
		Usage []struct {
			Requests int `json:"requests,string"`
		} `json:"usage"`
	}
	w.orderJSON(t, 0, &answer, "usage", key)
	for _, day := range answer.Usage {
		n += day.Requests
	}
	return n
}

// awaitUsed waits until exactly n requests are on record for a key.
func (w *stored) awaitUsed(t *testing.T, key string, n int) {
	t.Helper()
	began := time.Now()
	await(t, 20*time.Second, fmt.Sprintf("%d requests with %s are on record", n, key), func() bool { return w.used(t, key) == n })
	t.Logf("%d requests with %s were on record after %v", n, key, time.Since(began))
}

// testUsage: every request is counted once, on whichever replica and with declared keys too. A replica that is killed
// takes with it what it has not written since the last interval, and nothing else.
func (w *stored) testUsage(t *testing.T) {
	const each = 10
	key := w.issue(t, 0, "counted", "--access", "read-only")
	stored, declared := things("GET", key), things("GET", w.shop.Key)
	w.soon(t, "a key is good", stored, 200) // which is a request that passed, for each replica
	for replica := range w.envoys {
		for range each {
			w.wants(t, "a stored key", replica, stored, 200)
			w.wants(t, "a declared key", replica, declared, 200)
			w.wants(t, "what is refused does not count", replica, things("POST", key), 403)
		}
	}
	const written = 2 + 2*each
	w.awaitUsed(t, "globex/counted", written)
	w.awaitUsed(t, "acme/main", 2*each)

	for range each {
		w.wants(t, "just before the end", 1, stored, 200)
	}
	w.kill(1)
	w.restart(t, 1)
	kept := w.used(t, "globex/counted")
	t.Logf("kill -9: of %d requests that were written %d are on record, of %d later ones %d", written, min(kept, written), each, max(kept-written, 0))
	if kept < written || kept > written+each {
		t.Errorf("%d requests are on record; want %d, and of the last %d what was written in time", kept, written, each)
	}
	for range each {
		w.wants(t, "a new process", 1, stored, 200)
	}
	w.awaitUsed(t, "globex/counted", kept+each)
}

// testFlood: keys that nobody has are refused, those without a checksum before the database is asked, and good ones go on.
func (w *stored) testFlood(t *testing.T) {
	good := things("GET", w.issue(t, 0, "patient", "--access", "read-only"))
	w.soon(t, "a key is good", good, 200)
	for replica, p := range w.posterns {
		before := metric(t, p, "postern_keystore_reads_total")
		for range 200 {
			w.wants(t, "a key without a checksum", replica, things("GET", "pk_"+rand.Text()+rand.Text()), 401)
		}
		if n := metric(t, p, "postern_keystore_reads_total") - before; n > 0 {
			t.Errorf("replica %d: %v reads of the database for keys without a checksum", replica, n)
		}

		const strangers, keys = 4, 200
		var flood sync.WaitGroup
		for range strangers {
			flood.Go(func() {
				for range keys {
					key, err := keystore.Mint(keystore.DefaultPrefix)
					if err != nil {
						t.Error(err)
						return
					}
					a, err := things("GET", key.Reveal()).Send(t.Context(), w.envoys[replica].Address)
					if err != nil || a.Status != 401 && a.Status != 503 { // 503: too many wait for the database
						t.Errorf("replica %d: nobody's key: %d (%v)", replica, a.Status, err)
					}
				}
			})
		}
		passed := 0
		for range keys {
			a, err := good.Send(t.Context(), w.envoys[replica].Address)
			if err == nil && a.Status == 200 {
				passed++
			}
		}
		flood.Wait()
		if passed != keys {
			t.Errorf("replica %d: during the flood %d of %d requests with a good key passed", replica, passed, keys)
		}
	}
}

// testOutage: without its database no replica lets through what it does not know, nor refuses what it does.
func (w *stored) testOutage(t *testing.T) {
	told := func(replica int) float64 { return metric(t, w.posterns[replica], "postern_keystore_changes_total") }
	before := []float64{told(0), told(1)}
	known := things("GET", w.issue(t, 0, "known", "--access", "read-only"))
	unseen := things("GET", w.issue(t, 0, "unseen", "--access", "read-only"))
	for replica := range w.envoys { // what is told of a key only now is read once more
		await(t, 10*time.Second, "the replicas know of both keys", func() bool { return told(replica) >= before[replica]+2 })
	}
	w.soon(t, "a key is good", known, 200)
	made, err := harness.GenerateKey(t.Context(), world.bin)
	if err != nil {
		t.Fatal(err)
	}
	nobodys := things("GET", made.Key)

	w.stopPostgres(t)
	for replica, p := range w.posterns {
		for range 3 {
			w.wants(t, "a key that is remembered", replica, known, 200)
			w.wants(t, "a declared key", replica, things("GET", w.shop.Key), 200)
			w.wants(t, "a key that is in the database only", replica, unseen, 503)
			w.wants(t, "nobody's key", replica, nobodys, 503)
			w.wants(t, "no key of the form there is", replica, things("GET", "wrong"), 401)
		}
		await(t, 10*time.Second, "Postern says that it is degraded", func() bool { return metric(t, p, "postern_degraded") > 0 })
	}
	if _, err := w.admin.Run(t.Context(), "keys", "issue", "globex", "--name", "never", "--server", w.server(0)); err == nil {
		t.Error("a key was issued without a database")
	}

	if err := w.postgres.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	w.soon(t, "a key in the database is good again", unseen, 200)
	t.Logf("both replicas read again %v after PostgreSQL was ready", time.Since(back))
	w.soon(t, "nobody's key is nobody's again", nobodys, 401)
	w.soon(t, "a key that was remembered stays good", known, 200)
	for _, p := range w.posterns {
		await(t, 10*time.Second, "Postern is not degraded", func() bool { return metric(t, p, "postern_degraded") == 0 })
	}
	w.order(t, 1, "keys", "revoke", "globex/unseen", "--yes")
	w.soon(t, "orders reach both replicas again", unseen, 401)
}

// testSecrets looks for every secret in everything that was put out, and in PostgreSQL's files.
func (w *stored) testSecrets(t *testing.T) {
	put := map[string]string{
		"the audit": w.order(t, 0, "audit", "--all-namespaces", "--limit", "0", "-o", "json"),
		"the Apps":  w.order(t, 0, "apps", "list", "-o", "json"),
		"the keys":  w.order(t, 0, "keys", "list", "-o", "json"),
		"the usage": w.order(t, 0, "usage", "-o", "json"),
	}
	for replica, p := range w.posterns {
		metrics, err := harness.Fetch(t.Context(), p.Ops+"/metrics")
		if err != nil {
			t.Fatal(err)
		}
		put[fmt.Sprintf("the metrics of replica %d", replica)] = metrics
		w.logs.WriteString(p.Stdout() + p.Stderr())
		w.logs.WriteString(w.envoys[replica].Stdout() + w.envoys[replica].Stderr())
	}
	w.stopPostgres(t)
	put["the logs"] = w.logs.String()
	for what, texts := range map[string][]string{
		"the logs":                 {`"reason":"key_revoked"`, `"reason":"key_expired"`, `"keyId":"shop/globex/reader"`, "INSERT INTO keys", "found in a log"},
		"the audit":                {"found in a log", "ImportKeys", "RotateKey", "alice@example.com"},
		"the keys":                 {"globex-1", "KEY_TYPE_HMAC_SECRET"},
		"the usage":                {`"counted"`},
		"the metrics of replica 0": {`reason="key_revoked"`},
	} {
		for _, text := range texts {
			if !strings.Contains(put[what], text) {
				t.Errorf("%s: no %s, so this proves nothing", what, text)
			}
		}
	}
	for what, text := range put {
		if secret := w.secrets.In([]byte(text)); secret != "" {
			t.Errorf("%s: %s", what, secret)
		}
	}
	stored := maps.Clone(w.secrets)
	maps.Copy(stored, w.digests)
	found, marked, err := stored.InFiles(w.data, "found in a log")
	if err != nil || marked == 0 {
		t.Errorf("%d of PostgreSQL's files hold what is stored as it is (%v)", marked, err)
	}
	for _, file := range found {
		t.Error(file)
	}
}
