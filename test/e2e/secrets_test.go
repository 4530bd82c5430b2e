package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/postern-auth/postern/test/harness"
)

// canaries are the secrets that must not come out anywhere, by name: credentials, and the signing secret in its
// encodings.
func canaries() map[string]string {
	secret := world.shop.Secret
	found := map[string]string{
		"signing secret":            secret,
		"signing secret in base64":  base64.StdEncoding.EncodeToString([]byte(secret)),
		"signing secret in Go form": fmt.Sprintf("%v", []byte(secret)),
		"Stripe's secret":           world.shop.Stripe,
	}
	for name, value := range world.creds {
		found[name] = value
		if parts := strings.Split(value, "."); len(parts) == 3 {
			found[name+"'s signature"] = parts[2]
		}
	}
	return found
}

// checkSecrets asserts that an answer of Postern's holds no secret.
func checkSecrets(t *testing.T, a harness.Answer) {
	t.Helper()
	if a.Status == 200 {
		return // the upstream echoes what it got, which checkClean looks at
	}
	for name, secret := range canaries() {
		if text := fmt.Sprint(a.Headers, a.Body); strings.Contains(text, secret) {
			t.Errorf("the answer holds the credential %q: %s", name, text)
		}
	}
}

// findSecrets looks through everything that Postern and the Envoys have put out during all tests, a last denial
// included: the logs must be worth looking at.
func findSecrets(ctx context.Context) error {
	if _, err := bearer().Send(ctx, world.gates[0].Address); err != nil {
		return err
	}
	metrics, err := harness.Fetch(ctx, world.postern.Ops+"/metrics")
	if err != nil {
		return err
	}
	logs := world.postern.Stdout() + world.postern.Stderr()
	for _, g := range world.gates {
		logs += g.Stdout() + g.Stderr() // what Postern says of a decision is in the access log
	}
	if !strings.Contains(logs, "no_credential") || !strings.Contains(metrics, "no_credential") {
		return fmt.Errorf("neither the decision log nor the metrics tell of a denial:\n%s", world.postern.Tail())
	}
	for name, secret := range canaries() {
		if strings.Contains(logs, secret) {
			return fmt.Errorf("Postern's or Envoy's log holds the %s", name)
		}
		if strings.Contains(metrics, secret) {
			return fmt.Errorf("postern's metrics hold the %s", name)
		}
	}
	return nil
}

// TestCommandsKeepSecrets: explaining and linting print no secret either.
func TestCommandsKeepSecrets(t *testing.T) {
	for _, args := range [][]string{
		{"check", "--resources", world.shop.Dir, "-H", "X-API-Key: " + world.creds["disabled"], "http://keys.test/x"},
		{"check", "--resources", world.shop.Dir, "-o", "json", "-H", "Authorization: Bearer " + world.creds["token"], "http://localhost/orders/1"},
		{"lint", world.shop.Dir},
	} {
		out, err := exec.CommandContext(t.Context(), world.bin, args...).CombinedOutput()
		if len(out) == 0 {
			t.Fatalf("postern %s printed nothing: %v", args[0], err)
		}
		for name, secret := range canaries() {
			if strings.Contains(string(out), secret) {
				t.Errorf("postern %s printed the %s:\n%s", args[0], name, out)
			}
		}
	}
}
