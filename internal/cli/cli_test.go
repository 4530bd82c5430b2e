package cli

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The commands are tested as users type them: testdata holds one script a command.

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"postern": func() { os.Exit(Main(os.Args[1:], Build{Version: "v1.2.3", Commit: "0123abcd"})) },
		"curl":    curl,
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:             "testdata",
		UpdateScripts:   os.Getenv("UPDATE_SCRIPTS") != "",
		ContinueOnError: true,
		Setup:           writeFiles,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":     exits,
			"ready":     ready,
			"terminate": terminate,
			"upstream":  upstream,
		},
	})
}

// writeFiles puts into every script's directory what a script cannot hold: a fresh key pair, in key.pem and in pair.yaml
// with the App shop/pair that has the public key, and a binary body.
func writeFiles(env *testscript.Env) error {
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(env.WorkDir, "key.pem"), text, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(env.WorkDir, "binary"), []byte{0xff, 0, '\n'}, 0o600); err != nil {
		return err
	}
	app := fmt.Sprintf(pairApp, base64.RawURLEncoding.EncodeToString(public))
	return os.WriteFile(filepath.Join(env.WorkDir, "pair.yaml"), []byte(app), 0o600)
}

const pairApp = `apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: pair, namespace: shop}
spec:
  credentials:
  - name: pair
    signing: {keyId: PAIR, publicKey: '{"kty": "OKP", "crv": "Ed25519", "x": "%s"}'}
`
