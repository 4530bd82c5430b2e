package harness

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Admin is a configuration with a database of keys, and an operator who may do everything in it.
type Admin struct {
	Config  string  // a postern.yaml for StartPostern's -c
	Secrets Secrets // of the configuration
	bin     string
	env     []string
}

// NewAdmin writes the configuration into dir, with secrets made at run time. The admin API is a Unix socket in it. The
// dsn is that of a PostgreSQL database; without one the database is a file in dir. Settings are more lines of postern.yaml.
func NewAdmin(ctx context.Context, bin, dir, dsn string, settings ...string) (*Admin, error) {
	token, err := GenerateKey(ctx, bin) // a token is any text of which nobody guesses the digest
	if err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, bin, "secrets", "generate", filepath.Join(dir, "secrets.json")).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("postern secrets generate: %w\n%s", err, out)
	}
	var pepper [32]byte
	_, _ = rand.Read(pepper[:]) // it never fails
	database := "sqlite: {file: keys.db}"
	if dsn != "" {
		database = "postgres: {dsnFile: dsn}"
	}
	a := &Admin{
		Config:  filepath.Join(dir, "postern.yaml"),
		Secrets: Secrets{"operator's token": token.Key, "pepper": string(pepper[:])},
		bin:     bin,
		env: []string{
			"POSTERN_SERVER=unix://" + filepath.Join(dir, "admin.sock"), "POSTERN_TOKEN_FILE=" + filepath.Join(dir, "operator.token"),
			"POSTERN_CONTEXTS=" + filepath.Join(dir, "contexts.yaml"), "POSTERN_NAMESPACE=shop",
		},
	}
	for name, text := range map[string]string{
		"postern.yaml": `keystore:
  pepperFile: peppers
  secretsFile: secrets.json
  database: {` + database + `}
admin: {address: 'unix://` + filepath.Join(dir, "admin.sock") + `', callersFile: callers.yaml}
` + strings.Join(settings, "\n"),
		"dsn": dsn + "\n",
		"callers.yaml": `callers:
- name: operator
  tokenDigest: ` + token.Digest + `
  roles: [{role: admin, namespaces: ["*"]}]
`,
		"operator.token": token.Key + "\n",
		"peppers":        "p1:" + base64.StdEncoding.EncodeToString(pepper[:]) + "\n",
		"contexts.yaml":  "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Env are the variables by which the command finds the admin API and its token.
func (a *Admin) Env() []string { return a.env }

// Run runs a command of postern as the operator and returns what it prints on standard output, without the last
// newline.
func (a *Admin) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, a.bin, args...)
	cmd.Env = append(os.Environ(), a.env...)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("postern %s: %w\n%s", strings.Join(args, " "), err, &errOut)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
