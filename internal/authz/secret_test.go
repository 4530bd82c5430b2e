package authz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretNeverPrints(t *testing.T) {
	const text = "canary-7f3a"
	secret := Secret(text)
	holder := struct {
		Secret  Secret
		Pointer *Secret
		List    []Secret
		Map     map[string]Secret
		Any     any
	}{secret, &secret, []Secret{secret}, map[string]Secret{"a": secret}, secret}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%c", "%U", "%t", "%e", "%10.3s", "%T"} {
		fmt.Fprintf(&out, verb+"\n", secret)
		fmt.Fprintf(&out, verb+"\n", holder)
		fmt.Fprintf(&out, verb+"\n", Credential{Value: secret})
	}
	fmt.Fprintln(&out, secret, []any{secret}, fmt.Errorf("wrapped: %v", secret))
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("message", "secret", secret, "holder", holder, "credential", Credential{Value: secret}, slog.Group("g", "s", secret))
	}
	if err := json.NewEncoder(&out).Encode(holder); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text), fmt.Sprintf("% x", text)} {
		if strings.Contains(out.String(), form) {
			t.Errorf("%q got out:\n%s", form, out.String())
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing stands in its place")
	}
	if secret.Reveal() != text {
		t.Error("Reveal does not")
	}
}
