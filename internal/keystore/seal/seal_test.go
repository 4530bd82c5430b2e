package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
)

const secret = authz.Secret("canary \x00\xff of a secret")

func generate(t *testing.T) []byte {
	t.Helper()
	text, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func parse(t *testing.T, text []byte) *Keys {
	t.Helper()
	keys, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestUnsealReturnsWhatWasSealed(t *testing.T) {
	keys := parse(t, generate(t))
	sealed, _, err := keys.Seal(secret, "shop/acme/a")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("canary")) {
		t.Error("the secret can be read")
	}
	if got, err := keys.Unseal(sealed, "shop/acme/a"); err != nil || got != secret {
		t.Errorf("unsealed %q, %v", got.Reveal(), err)
	}
}

func TestUnsealRefuses(t *testing.T) {
	keys := parse(t, generate(t))
	sealed, _, err := keys.Seal(secret, "shop/acme/a")
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, unseal := range map[string]func() (authz.Secret, error){
		"another context": func() (authz.Secret, error) { return keys.Unseal(sealed, "shop/acme/b") },
		"another key":     func() (authz.Secret, error) { return parse(t, generate(t)).Unseal(sealed, "shop/acme/a") },
		"a changed bit":   func() (authz.Secret, error) { return keys.Unseal(changed, "shop/acme/a") },
		"nothing":         func() (authz.Secret, error) { return keys.Unseal(nil, "shop/acme/a") },
	} {
		if got, err := unseal(); !errors.Is(err, ErrUnsealable) || got != "" {
			t.Errorf("%s: %q, %v", name, got.Reveal(), err)
		}
	}
}

func TestAddedKeySealsAndOldOnesUnseal(t *testing.T) {
	first := generate(t)
	old := parse(t, first)
	sealed, by, err := old.Seal(secret, "a")
	if err != nil || by != old.Primary() {
		t.Fatal(by, err)
	}
	text, err := Add(first)
	if err != nil {
		t.Fatal(err)
	}
	keys := parse(t, text)
	if keys.Primary() == old.Primary() {
		t.Error("the new key is not the primary one")
	}
	if got, err := keys.Unseal(sealed, "a"); err != nil || got != secret {
		t.Errorf("by the old key: %q, %v", got.Reveal(), err)
	}
	if sealed, by, err = keys.Seal(secret, "a"); err != nil || by != keys.Primary() {
		t.Fatal(by, err)
	}
	if _, err := old.Unseal(sealed, "a"); !errors.Is(err, ErrUnsealable) {
		t.Errorf("sealed with the old key: %v", err)
	}
}

func TestOpenRefusesFilesThatOthersCanUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.WriteFile(file, generate(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, fine := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o440: true, 0o640: true, 0o644: false, 0o660: false, 0o604: false, 0o602: false} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(file); (err == nil) != fine {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestErrorsDoNotRepeatTheFile(t *testing.T) {
	good := string(generate(t))
	for _, text := range []string{
		"", "{}", "canary", `{"primaryKeyId": "canary"}`,
		strings.Replace(good, `"typeUrl"`, `"canary"`, 1), strings.Replace(good, "ENABLED", "DISABLED", 1), good[:len(good)/2],
	} {
		_, err := Parse([]byte(text))
		if err == nil {
			t.Errorf("%q is a keyset", text)
		} else if strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "postern secrets generate") {
			t.Error(err)
		}
	}
	if _, err := Add([]byte("canary")); err == nil || strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
}
