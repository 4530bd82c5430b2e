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
	"fmt"
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

// ask is a request that the foreign client is to sign.
type ask struct {
	Method    string `json:"method"`
	URL       string `json:"url"`
	Body      string `json:"body"`
	Algorithm string `json:"algorithm"`
	Key       string `json:"key"`
	KeyID     string `json:"keyId"`
	Nonce     string `json:"nonce"`
}

// TestInterop: requests signed by a package from PyPI, unchanged, pass; changed on the way they do not.
func TestInterop(t *testing.T) {
	interop["HMAC_SHA256"] = world.shop.Secret
	requests := []harness.Request{
		{Method: "GET", Target: "/orders/1?a=%20b&c", Fields: []string{"Host: interop.test"}},
		{Method: "POST", Target: "/webhooks/x", Fields: []string{"Host: interop.test"}, Body: `{"paid": 10}`},
	}
	var asks []ask
	for algorithm, key := range interop {
		for _, r := range requests {
			for range 2 * len(world.gates) { // one to pass and one to change, for each Envoy
				asks = append(asks, ask{
					r.Method, "http://interop.test" + r.Target, r.Body, algorithm, key, "interop-" + algorithm, rand.Text(),
				})
			}
		}
	}
	for i, headers := range foreignSign(t, asks) {
		a := asks[i]
		r := requests[i/(2*len(world.gates))%len(requests)]
		for name, value := range headers {
			r = r.With(name + ": " + value)
		}
		g := world.gates[i/2%len(world.gates)]
		want := 200
		if i%2 == 1 {
			r.Target += "x"
			want = 401
		}
		t.Run(fmt.Sprint(g.name, "/", a.Algorithm, "/", a.Method, "/", want), func(t *testing.T) {
			answer, seen := g.send(t, r)
			if answer.Status != want || seen != nil && seen.Headers.Get("X-Auth-Subject") != "app:shop/interop" {
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
		})
	}
}

// foreignSign returns the headers with which the foreign client sends each request.
func foreignSign(t *testing.T, asks []ask) []map[string]string {
	t.Helper()
	site, err := harness.Wheels(t.Context(), filepath.Join(world.root, "test", "tools", "interop.txt"), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(asks)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", filepath.Join("testdata", "interop", "sign.py"))
	cmd.Env = append(os.Environ(), "PYTHONPATH="+site)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var headers []map[string]string
	if err := json.Unmarshal(out, &headers); err != nil || len(headers) != len(asks) {
		t.Fatalf("%d answers for %d requests: %v", len(headers), len(asks), err)
	}
	return headers
}
