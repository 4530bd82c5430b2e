package e2e

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/postern-auth/postern/test/harness"
)

// interop has the private keys of the foreign client in PEM, by the name it has for the algorithm.
var interop = map[string]string{}

// newInteropKeys makes the keys and returns replacements for the public ones in testdata/policies.
func newInteropKeys() ([]string, error) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	var fill []string
	for name, key := range map[string]crypto.Signer{
		"ED25519": ed, "ECDSA_P256_SHA256": p256, "RSA_PSS_SHA512": rsa2048, "RSA_V1_5_SHA256": rsa2048,
	} {
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return nil, err
		}
		interop[name] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
		fill = append(fill, "{"+name+"}", strconv.Quote(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))))
	}
	return fill, nil
}

// TestInterop: requests signed by a package from PyPI, unchanged, pass; the same ones for another path do not.
func TestInterop(t *testing.T) {
	site, err := harness.Wheels(t.Context(), filepath.Join(world.root, "test", "tools", "interop.txt"), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	interop["HMAC_SHA256"] = world.shop.Secret
	for algorithm, key := range interop {
		t.Run(algorithm, func(t *testing.T) {
			eachGate(t, func(t *testing.T, g gate) {
				for _, r := range []harness.Request{
					{Method: "GET", Target: "/orders/1?a=%20b&c"},
					{Method: "POST", Target: "/webhooks/x", Body: `{"paid": 10}`},
				} {
					r = foreignSign(t, site, algorithm, key, r)
					if a, seen := g.send(t, r); a.Status != 200 || seen.Headers.Get("X-Auth-Subject") != "app:shop/interop" {
						t.Errorf("%s: %d %s", r.Target, a.Status, a.Body)
					}
					r = foreignSign(t, site, algorithm, key, r)
					r.Target += "x"
					if a, _ := g.send(t, r); a.Status != 401 {
						t.Errorf("%s, changed: %d %s", r.Target, a.Status, a.Body)
					}
				}
			})
		})
	}
}

// foreignSign has the foreign client sign a request to interop.test.
func foreignSign(t *testing.T, site, algorithm, key string, r harness.Request) harness.Request {
	t.Helper()
	ask, err := json.Marshal(map[string]any{
		"method": r.Method, "url": "http://interop.test" + r.Target, "headers": map[string]string{},
		"body": r.Body, "algorithm": algorithm, "key": key, "keyId": "interop-" + algorithm, "nonce": rand.Text(),
		"cover": []string{"@method", "@authority", "@path", "@query"},
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", filepath.Join("testdata", "interop", "sign.py"))
	cmd.Env = append(os.Environ(), "PYTHONPATH="+site)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(ask), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var headers map[string]string
	if err := json.Unmarshal(out, &headers); err != nil {
		t.Fatal(err)
	}
	r.Fields = []string{"Host: interop.test"}
	for name, value := range headers {
		r = r.With(name + ": " + value)
	}
	return r
}
