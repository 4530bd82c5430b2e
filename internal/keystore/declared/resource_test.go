package declared

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

const (
	sum   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	ed    = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	pem   = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"
	start = "apiVersion: postern.dev/v1alpha1\nkind: App\nmetadata: {name: acme, namespace: shop, labels: {tier: partner}}\n"
)

// files is a directory of secrets.
var files = map[string]string{
	"plain":     "canary-0123456789",
	"newline":   "canary-0123456789\n",
	"windows":   "canary-0123456789\r\n",
	"two lines": "canary-0123456789\n\n",
	"return":    "canary-0123456789\r",
	"base64":    "Y2FuYXJ5LTAxMjM0NTY3ODk=\n",
	"short":     "canary\n",
	"short64":   "Y2FuYXJ5\n",
	"unpadded":  "Y2FuYXJ5LTAxMjM0NTY3ODk\n",
	"empty":     "\n",
	"pem":       pem,
	"jwk":       ed,
}

func readFile(name string) ([]byte, error) {
	if text, ok := files[name]; ok {
		return []byte(text), nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// secrets are the values of Secrets, by name and key.
var secrets = map[string]string{"acme/key": "canary-0123456789\n", "acme/base64": "Y2FuYXJ5LTAxMjM0NTY3ODk="}

func readSecret(name, key string) ([]byte, error) {
	if text, ok := secrets[name+"/"+key]; ok {
		return []byte(text), nil
	}
	return nil, errors.New("there is none")
}

func convert(t *testing.T, spec string) (App, []*v1alpha1.Error) {
	t.Helper()
	documents := v1alpha1.Decode("apps.yaml", []byte(start+spec))
	if len(documents) != 1 || documents[0].Err != nil {
		t.Fatalf("%+v", documents)
	}
	hasher := keystore.NewHasher(keystore.Pepper{ID: "p1", Secret: "0123456789abcdef"})
	return FromResource(documents[0].App.Read(), documents[0].Origin, Reader{readFile, readSecret}, hasher)
}

func TestFromResource(t *testing.T) {
	app, errs := convert(t, `spec:
  disabled: true
  scopes: [orders:write, orders:read]
  attributes: {tenant: t1}
  credentials:
  - name: one
    apiKey: {digest: "sha256:`+sum+`"}
    scopes: [orders:read]
    notBefore: 2026-10-01T00:00:00Z
    expiresAt: 2027-01-31T00:00:00Z
  - name: two
    apiKey: {digest: "hmac-sha256:p1:`+sum+`"}
    disabled: true
    scopes: []
  - name: three
    signing: {keyId: AK3, secret: {file: newline}, algorithm: hmac-sha256}
  - name: four
    signing: {keyId: AK4, secret: {file: base64, encoding: Base64}}
  - name: five
    signing: {keyId: AK5, publicKey: '`+ed+`', algorithm: ed25519}
`)
	if errs != nil {
		t.Fatal(errs)
	}
	if app.Namespace != "shop" || app.Name != "acme" || !app.Disabled || app.Labels["tier"] != "partner" || app.Attributes["tenant"] != "t1" ||
		app.Scopes.String() != "orders:read orders:write" || len(app.Credentials) != 5 {
		t.Fatalf("%+v", app)
	}
	one, two, three, four, five := app.Credentials[0], app.Credentials[1], app.Credentials[2], app.Credentials[3], app.Credentials[4]
	if one.Name != "one" || one.Digest.String() != "sha256:"+sum || !cmp.Equal(one.Scopes, []string{"orders:read"}) || one.Disabled ||
		!one.NotBefore.Equal(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)) || !one.ExpiresAt.Equal(time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", one)
	}
	if two.Digest.Pepper != "p1" || !two.Disabled || two.Scopes == nil || len(two.Scopes) != 0 || !two.NotBefore.IsZero() {
		t.Errorf("%+v", two)
	}
	if three.Signing.Secret.Reveal() != "canary-0123456789" || three.Signing.Algorithm != "hmac-sha256" || len(three.Scopes) != 2 {
		t.Errorf("%+v", three)
	}
	if four.Signing.Secret.Reveal() != "canary-0123456789" || four.Signing.ID != "AK4" {
		t.Errorf("%+v", four)
	}
	if five.Signing.PublicKey == nil || five.Signing.Secret != "" {
		t.Errorf("%+v", five)
	}
}

func TestFinalNewline(t *testing.T) {
	for file, want := range map[string]string{
		"plain": "canary-0123456789", "newline": "canary-0123456789", "windows": "canary-0123456789", "two lines": "canary-0123456789\n",
		"return": "canary-0123456789\r",
	} {
		app, errs := convert(t, "spec: {credentials: [{name: a, signing: {keyId: k, secret: {file: "+file+"}}}]}")
		if errs != nil || app.Credentials[0].Signing.Secret.Reveal() != want {
			t.Errorf("%s: %+v, %v", file, app.Credentials, errs)
		}
	}
}

func TestFromResourceErrors(t *testing.T) {
	signing := func(rest string) string {
		return "spec:\n  credentials:\n  - {name: a, apiKey: {digest: \"sha256:" + sum + "\"}}\n  - name: b\n    signing: {keyId: k, " + rest + "}\n"
	}
	for _, tc := range []struct{ spec, want string }{
		{
			"spec: {credentials: [{name: a, apiKey: {digest: \"hmac-sha256:p2:" + sum + "\"}}]}",
			`apps.yaml:4: App shop/acme: spec.credentials[0].apiKey.digest: no pepper has the id "p2"; add it to the pepper file, or make a new digest`,
		},
		{
			signing("secret: {file: none}"),
			"apps.yaml:8: App shop/acme: spec.credentials[1].signing.secret.file: open none: file does not exist; check the path, which is relative to this file, and who may read it",
		},
		{
			signing("secret: {file: empty}"),
			"apps.yaml:8: App shop/acme: spec.credentials[1].signing.secret: the secret has 0 bytes, fewer than 16; make one with: openssl rand -base64 32",
		},
		{
			signing("secret: {file: short}"),
			"apps.yaml:8: App shop/acme: spec.credentials[1].signing.secret: the secret has 6 bytes, fewer than 16; make one with: openssl rand -base64 32",
		},
		{
			signing("secret: {file: short64, encoding: Base64}"),
			"apps.yaml:8: App shop/acme: spec.credentials[1].signing.secret: the secret has 6 bytes, fewer than 16; make one with: openssl rand -base64 32",
		},
		{
			signing("secret: {file: unpadded, encoding: Base64}"),
			"apps.yaml:8: App shop/acme: spec.credentials[1].signing.secret.encoding: the file unpadded is not base64; write standard base64 with its padding, or set encoding: Text",
		},
		{
			signing("secret: {file: pem}"),
			"apps.yaml:8: App shop/acme: spec.credentials[1].signing.secret: the secret is the text of an asymmetric key; put a public key under publicKey",
		},
		{
			signing("secret: {file: jwk}"),
			"apps.yaml:8: App shop/acme: spec.credentials[1].signing.secret: the secret is the text of an asymmetric key; put a public key under publicKey",
		},
		{
			signing("publicKey: canary"),
			"apps.yaml:8: App shop/acme: spec.credentials[1].signing.publicKey: the public key is neither PEM nor JSON; " +
				"give one PEM block (PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE) or a JWK of kty OKP, EC or RSA",
		},
		{
			signing("publicKey: '" + ed + "', algorithm: rsa-pss-sha512"),
			`apps.yaml:8: App shop/acme: spec.credentials[1].signing.publicKey: algorithm "rsa-pss-sha512" does not verify with an Ed25519 key; name one that fits, or none`,
		},
	} {
		_, errs := convert(t, tc.spec)
		if len(errs) != 1 || errs[0].Error() != tc.want {
			t.Errorf("%v\nwant %s", v1alpha1.Errors(errs), tc.want)
		}
		if strings.Contains(v1alpha1.Errors(errs).Error(), "canary") {
			t.Error("the error repeats the secret")
		}
	}
}

// TestFromResourceOfInvalid holds conversion to its own checks, should validation ever let something through.
func TestFromResourceOfInvalid(t *testing.T) {
	for _, tc := range []struct {
		credential v1alpha1.AppCredential
		want       string
	}{
		{v1alpha1.AppCredential{}, "App /: spec.credentials[0]: it is not clear what the credential is; give it exactly one of apiKey and signing"},
		{
			v1alpha1.AppCredential{APIKey: &v1alpha1.APIKeyCredential{}, Signing: &v1alpha1.SigningCredential{}},
			"App /: spec.credentials[0]: it is not clear what the credential is; give it exactly one of apiKey and signing",
		},
		{
			v1alpha1.AppCredential{APIKey: &v1alpha1.APIKeyCredential{Digest: "pk_canary"}},
			"App /: spec.credentials[0].apiKey.digest: a digest is sha256:<64 hex digits> or hmac-sha256:<pepper id>:<64 hex digits>; print it with `postern keys generate`",
		},
		{
			v1alpha1.AppCredential{Signing: &v1alpha1.SigningCredential{}},
			"App /: spec.credentials[0].signing.keyId: it is empty; name the key as clients do in keyid",
		},
		{
			v1alpha1.AppCredential{Signing: &v1alpha1.SigningCredential{KeyID: "k"}},
			"App /: spec.credentials[0].signing: it is not clear what the key is; give it exactly one of secret, secretRef and publicKey",
		},
		{
			v1alpha1.AppCredential{Signing: &v1alpha1.SigningCredential{KeyID: "k", Secret: &v1alpha1.SecretSource{File: "plain"}, PublicKey: ed}},
			"App /: spec.credentials[0].signing: it is not clear what the key is; give it exactly one of secret, secretRef and publicKey",
		},
	} {
		r := &v1alpha1.App{Spec: v1alpha1.AppSpec{Credentials: []v1alpha1.AppCredential{tc.credential}}}
		_, errs := FromResource(r, v1alpha1.Origin{}, Reader{}, nil)
		if len(errs) != 1 || errs[0].Error() != tc.want {
			t.Errorf("%v\nwant %s", v1alpha1.Errors(errs), tc.want)
		}
	}
}

func TestSecretReference(t *testing.T) {
	for spec, want := range map[string]string{
		"{name: acme, key: key}":                      "",
		"{name: acme, key: base64, encoding: Base64}": "",
		"{name: acme, key: gone}":                     "signing.secretRef: there is none; apply the Secret, or correct name and key",
		"{name: acme, key: key, encoding: Base64}":    "signing.secretRef.encoding: the value of key in Secret acme is not base64; store standard base64",
	} {
		app, errs := convert(t, "spec: {credentials: [{name: signer, signing: {keyId: AK1, secretRef: "+spec+"}}]}\n")
		switch {
		case want != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), want)):
			t.Errorf("%s: got %v, want …%s…", spec, errs, want)
		case want == "" && (len(errs) > 0 || app.Credentials[0].Signing.Secret != "canary-0123456789"):
			t.Errorf("%s: got %v, %v", spec, app.Credentials, errs)
		}
	}
}
