package cli

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The commands are tested as users type them: testdata holds one script a command.

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"postern": func() { os.Exit(Main(os.Args[1:], Build{Version: "v1.2.3", Commit: "0123abcd"})) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:             "testdata",
		UpdateScripts:   os.Getenv("UPDATE_SCRIPTS") != "",
		ContinueOnError: true,
		Setup:           writeKey,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":     exits,
			"ready":     ready,
			"terminate": terminate,
		},
	})
}

// writeKey puts a fresh private key into every script's directory.
func writeKey(env *testscript.Env) error {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return os.WriteFile(filepath.Join(env.WorkDir, "key.pem"), text, 0o600)
}
