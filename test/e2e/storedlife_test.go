package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// testIssue: what one replica issues is good on both, for what it was issued for.
func (w *stored) testIssue(t *testing.T) {
	reader := w.issue(t, 0, "reader", "--access", "read-only")
	writer := w.issue(t, 1, "writer", "--access", "read-write")
	w.soon(t, "a key is good", things("GET", reader), 200)
	w.soon(t, "a key is good", things("POST", writer), 200)
	for replica := range w.envoys {
		w.sees(t, replica, things("GET", reader), map[string]string{
			"X-Auth-Subject": "app:shop/globex", "X-Auth-App": "shop/globex", "X-Auth-Key-Id": "shop/globex/reader",
			"X-Auth-Scopes": "orders:read", "X-Api-Key": "",
		})
		w.wants(t, "a key that may only read writes", replica, things("POST", reader), 403)
		w.wants(t, "a key with another end", replica, things("GET", reader[:len(reader)-1]+"_"), 401)
	}
}

// testKinds: a token of a user, a key from elsewhere, and a secret that requests are signed with.
func (w *stored) testKinds(t *testing.T) {
	token := w.issue(t, 0, "alice", "--type", "token", "--subject", "alice@example.com", "--scopes", "orders:read")
	w.soon(t, "a user's token is good", things("GET", token), 200)
	w.sees(t, 1, things("GET", token), map[string]string{
		"X-Auth-Subject": "alice@example.com", "X-Auth-App": "shop/globex", "X-Auth-Key-Id": "shop/globex/alice",
	})

	old := rand.Text()
	w.secrets["the key from elsewhere"] = old
	digests := filepath.Join(t.TempDir(), "digests.txt")
	if err := os.WriteFile(digests, fmt.Appendf(nil, "old %x orders:read\n", sha256.Sum256([]byte(old))), 0o600); err != nil {
		t.Fatal(err)
	}
	w.order(t, 0, "keys", "import", "globex", "-f", digests)
	from := harness.Request{Method: "GET", Target: "/old", Fields: []string{"Host: stored.test", "X-Old-Key: " + old}}
	w.soon(t, "a key from elsewhere is good", from, 200)
	w.sees(t, 1, from, map[string]string{"X-Auth-Key-Id": "shop/globex/old", "X-Old-Key": ""})

	secret, err := base64.StdEncoding.DecodeString(w.issue(t, 1, "signer", "--type", "hmac-secret", "--signing-key-id", "globex-1"))
	if err != nil {
		t.Fatal(err)
	}
	w.secrets["the bytes of the signing secret"] = string(secret)
	signer := harness.Signer{KeyID: "globex-1", Secret: string(secret)}
	for replica := range w.envoys {
		await(t, 10*time.Second, "a signature is good", func() bool { return w.send(t, replica, signer.Sign(report())) == 200 })
		w.sees(t, replica, signer.Sign(report()), map[string]string{"X-Auth-Subject": "app:shop/globex"})
		w.wants(t, "a signature with another secret", replica, harness.Signer{KeyID: "globex-1", Secret: rand.Text()}.Sign(report()), 401)
	}
	w.order(t, 1, "keys", "revoke", "globex/signer", "--yes")
	for replica := range w.envoys {
		await(t, 10*time.Second, "a signature is refused", func() bool { return w.send(t, replica, signer.Sign(report())) == 401 })
	}
}

// testRotate: the old key is good until the overlap is over, and then ends by itself, although both replicas remember it.
func (w *stored) testRotate(t *testing.T) {
	old := w.issue(t, 0, "first", "--access", "read-only")
	w.soon(t, "a key is good", things("GET", old), 200)
	successor := w.obtain(t, 0, "keys", "rotate", "globex/first", "--name", "second", "--overlap", "3s")
	var shown struct {
		ExpireTime time.Time `json:"expireTime"`
		Successor  string    `json:"successor"`
	}
	w.orderJSON(t, 1, &shown, "keys", "show", "globex/first")
	if shown.Successor != "second" {
		t.Fatalf("the old key does not make way: %+v", shown)
	}
	w.soon(t, "the successor is good", things("GET", successor), 200)
	w.sees(t, 1, things("GET", successor), map[string]string{"X-Auth-Key-Id": "shop/globex/second", "X-Auth-Scopes": "orders:read"})

	reads := func() (n float64) {
		for _, p := range w.posterns {
			n += metric(t, p, "postern_keystore_reads_total")
		}
		return n
	}
	before, asked := reads(), 0
	for replica := range w.envoys {
		await(t, 20*time.Second, "the overlap is over", func() bool {
			status := w.send(t, replica, things("GET", old))
			asked++
			if early := time.Now().Before(shown.ExpireTime); early && status != 200 {
				t.Fatalf("replica %d: %d before the overlap is over", replica, status)
			}
			return status == 401
		})
	}
	t.Logf("refused %v after the overlap; of %d requests, %v read the database", time.Since(shown.ExpireTime), asked, reads()-before)
	// Each replica twice: if it has forgotten the key for the rotation only now, and for the key's plain digest, which is
	// looked up once the one with a pepper does not count.
	if reads()-before > 4 {
		t.Errorf("the key did not end out of the cache: %v reads", reads()-before)
	}
	w.soon(t, "the successor stays good", things("GET", successor), 200)
}

// testDisable: a key and an App are switched off and on.
func (w *stored) testDisable(t *testing.T) {
	key := w.issue(t, 0, "switched", "--access", "read-only")
	w.soon(t, "a key is good", things("GET", key), 200)
	for _, what := range [][2]string{{"keys", "globex/switched"}, {"apps", "globex"}} {
		w.order(t, 1, what[0], "disable", what[1])
		w.wants(t, "where it was disabled", 1, things("GET", key), 401)
		w.soon(t, "what is disabled is refused", things("GET", key), 401)
		w.order(t, 0, what[0], "enable", what[1])
		w.wants(t, "where it was enabled", 0, things("GET", key), 200)
		w.soon(t, "what is enabled is good again", things("GET", key), 200)
	}
}

// testRevoke: how long after an acknowledged order either replica lets a key through that both remember. The limits are
// generous, for a machine that is busy with other tests.
func (w *stored) testRevoke(t *testing.T) {
	const rounds = 5
	for round := range rounds {
		name := fmt.Sprint("leaked-", round)
		key := w.issue(t, 0, name, "--access", "read-only")
		w.soon(t, "a key is good", things("GET", key), 200)
		w.order(t, 0, "keys", "revoke", "globex/"+name, "--reason", "found in a log", "--yes")
		ordered := time.Now()
		var took [2]time.Duration
		for replica, limit := range []time.Duration{time.Second, 10 * time.Second} {
			await(t, limit, fmt.Sprintf("replica %d refuses a revoked key", replica), func() bool {
				return w.send(t, replica, things("GET", key)) == 401
			})
			took[replica] = time.Since(ordered)
		}
		t.Logf("refused after an acknowledged order: here %v, there %v", took[0], took[1])
		for replica := range w.envoys {
			w.wants(t, "a revoked key", replica, things("GET", key), 401)
		}
	}
}
