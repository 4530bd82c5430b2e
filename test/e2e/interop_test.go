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
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-auth/postern/test/harness"
)

// partner has the keys of the clients that we did not write, by the last part of their key ids: secrets as they are,
// private keys in PEM.
var partner = map[string]string{}

// newPartnerKeys makes the keys, writes the secret into dir, and returns replacements for the public keys in
// testdata/policies.
func newPartnerKeys(dir string) ([]string, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	partner["hmac"] = "whsec_" + base64.StdEncoding.EncodeToString(secret)
	if err := os.WriteFile(filepath.Join(dir, "partner.secret"), []byte(partner["hmac"]+"\n"), 0o600); err != nil {
		return nil, err
	}
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
	for name, key := range map[string]crypto.Signer{"ed25519": ed, "p256": p256, "rsa": rsa2048} {
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return nil, err
		}
		partner[name] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
		fill = append(fill, "{"+name+"}", strconv.Quote(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))))
	}
	partner["pss"], partner["v15"] = partner["rsa"], partner["rsa"]
	return fill, nil
}

// ask is a request that a library is to sign, or to verify. The scripts in testdata/interop read it.
type ask struct {
	Client    string            `json:"client"` // library and manner, as the script names them
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"` // of a request to verify
	Body      []byte            `json:"body"`
	Algorithm string            `json:"algorithm"`
	Key       string            `json:"key"`
	KeyID     string            `json:"keyId"`
}

// foreignSign has a script's libraries sign requests, and returns what they would send.
func foreignSign(t *testing.T, script string, asks []ask) []harness.Request {
	t.Helper()
	var answers []struct {
		Method  string      `json:"method"`
		URL     string      `json:"url"`
		Headers [][2]string `json:"headers"`
		Body    []byte      `json:"body"`
	}
	foreign(t, script, asks, &answers)
	if len(answers) != len(asks) {
		t.Fatalf("%s: %d answers for %d requests", script, len(answers), len(asks))
	}
	var requests []harness.Request
	for _, a := range answers {
		_, rest, _ := strings.Cut(a.URL, "://")
		host, target, _ := strings.Cut(rest, "/")
		r := harness.Request{Method: a.Method, Target: "/" + target, Body: string(a.Body)}.With("Host: " + host)
		for _, h := range a.Headers {
			if !strings.EqualFold(h[0], "host") {
				r = r.With(h[0] + ": " + h[1])
			}
		}
		requests = append(requests, r)
	}
	return requests
}

// foreign runs a script of testdata/interop with the packages pinned in test/tools/interop.txt.
func foreign(t *testing.T, script string, in, out any) {
	t.Helper()
	site, err := harness.Wheels(t.Context(), filepath.Join(world.root, "test", "tools", "interop.txt"), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-B", filepath.Join("testdata", "interop", script))
	cmd.Env = append(os.Environ(), "PYTHONPATH="+site)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, &stderr)
	}
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, &stderr)
	}
}
