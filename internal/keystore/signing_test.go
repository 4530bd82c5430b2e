package keystore

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// testKeys are key pairs of every kind.
type testKeys struct {
	ed         ed25519.PublicKey
	p256, p384 *ecdsa.PublicKey
	p521       *ecdsa.PublicKey
	rsa        *rsa.PublicKey
	rsaPrivate *rsa.PrivateKey
}

func newTestKeys(t *testing.T) testKeys {
	t.Helper()
	edPublic, _, err := ed25519.GenerateKey(nil)
	must(t, err)
	curve := func(c elliptic.Curve) *ecdsa.PublicKey {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		must(t, err)
		return &k.PublicKey
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	return testKeys{edPublic, curve(elliptic.P256()), curve(elliptic.P384()), curve(elliptic.P521()), &r.PublicKey, r}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkixPEM(t *testing.T, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	must(t, err)
	return pemOf("PUBLIC KEY", der)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jwkOf(t *testing.T, public any) string {
	t.Helper()
	m := map[string]any{"kid": "k1", "use": "sig", "key_ops": []string{"verify"}, "alg": "any", "x5c": []string{"ignored"}}
	switch k := public.(type) {
	case ed25519.PublicKey:
		m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", b64(k)
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		must(t, err)
		width := (len(point) - 1) / 2
		m["kty"], m["crv"], m["x"], m["y"] = "EC", k.Curve.Params().Name, b64(point[1:1+width]), b64(point[1+width:])
	case *rsa.PublicKey:
		m["kty"], m["n"], m["e"] = "RSA", b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes())
	}
	text, err := json.Marshal(m)
	must(t, err)
	return string(text)
}

func TestParsePublicKey(t *testing.T) {
	keys := newTestKeys(t)
	certificate, err := x509.CreateCertificate(rand.Reader,
		&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a"}, NotAfter: time.Now().Add(time.Hour)},
		&x509.Certificate{}, keys.rsa, keys.rsaPrivate)
	must(t, err)
	for name, tc := range map[string]struct {
		text string
		want any
	}{
		"PEM Ed25519":          {pkixPEM(t, keys.ed), keys.ed},
		"PEM P-256":            {pkixPEM(t, keys.p256), keys.p256},
		"PEM P-384":            {pkixPEM(t, keys.p384), keys.p384},
		"PEM RSA":              {pkixPEM(t, keys.rsa), keys.rsa},
		"PEM RSA PUBLIC KEY":   {pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(keys.rsa)), keys.rsa},
		"PEM CERTIFICATE":      {pemOf("CERTIFICATE", certificate), keys.rsa},
		"PEM between blanks":   {"\n  " + pkixPEM(t, keys.ed) + " \n", keys.ed},
		"JWK Ed25519":          {jwkOf(t, keys.ed), keys.ed},
		"JWK P-256":            {jwkOf(t, keys.p256), keys.p256},
		"JWK P-384":            {jwkOf(t, keys.p384), keys.p384},
		"JWK RSA":              {jwkOf(t, keys.rsa), keys.rsa},
		"JWK with white space": {" \n" + jwkOf(t, keys.ed) + "\n", keys.ed},
		"whpk_":                {"whpk_" + base64.StdEncoding.EncodeToString(keys.ed), keys.ed},
		"whpk_ unpadded":       {" whpk_" + base64.RawStdEncoding.EncodeToString(keys.ed) + "\n", keys.ed},
	} {
		got, err := ParsePublicKey(tc.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !samePublicKey(got, tc.want) {
			t.Errorf("%s: another key, a %T", name, got)
		}
	}
}

func samePublicKey(a, b any) bool {
	switch k := a.(type) {
	case ed25519.PublicKey:
		other, ok := b.(ed25519.PublicKey)
		return ok && k.Equal(other)
	case *ecdsa.PublicKey:
		other, ok := b.(*ecdsa.PublicKey)
		return ok && k.Equal(other)
	case *rsa.PublicKey:
		other, ok := b.(*rsa.PublicKey)
		return ok && k.Equal(other)
	}
	return false
}

// TestParseKnownJWKs reads the keys of RFC 8037 appendix A.2 and RFC 7517 appendix A.1.
func TestParseKnownJWKs(t *testing.T) {
	ed, err := ParsePublicKey(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)
	if k, ok := ed.(ed25519.PublicKey); err != nil || !ok || k[0] != 0xd7 || k[31] != 0x1a {
		t.Errorf("%v, %v", ed, err)
	}
	ec, err := ParsePublicKey(`{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",` +
		`"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}`)
	if k, ok := ec.(*ecdsa.PublicKey); err != nil || !ok || k.Curve != elliptic.P256() {
		t.Errorf("%v, %v", ec, err)
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	keys := newTestKeys(t)
	weak := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8192, 1), E: 65537}
	even := &rsa.PublicKey{N: keys.rsa.N, E: 65536}
	private, err := x509.MarshalPKCS8PrivateKey(keys.rsaPrivate)
	must(t, err)
	edText := pkixPEM(t, keys.ed)
	neither := "the public key is neither PEM nor JSON; " + publicKeyRemedy
	notJSON := "the JWK is not one JSON object with each member once; " + publicKeyRemedy
	isPrivate := "this is a private key; give its public half, and replace the pair: the private key has been written down"
	x := b64(keys.ed)
	notWebhook := "what follows whpk_ is not 32 bytes in base64; check that the key was copied whole"
	for text, want := range map[string]string{
		"whpk_":          notWebhook,
		"whpk_canary":    notWebhook,
		"whpk_" + edText: notWebhook,
		"whpk_" + base64.StdEncoding.EncodeToString(keys.ed[1:]): notWebhook,
		"whsk_" + base64.StdEncoding.EncodeToString(keys.ed):     isPrivate,
		"":                            neither,
		"canary":                      neither,
		"canary\n" + edText:           neither,
		edText + edText:               "something stands after the first PEM block; give one key a credential",
		edText + "canary":             "something stands after the first PEM block; give one key a credential",
		edText[:60]:                   neither,
		pemOf("PRIVATE KEY", private): isPrivate,
		pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(keys.rsaPrivate)): isPrivate,
		pemOf("EC PARAMETERS", []byte{1}):                                      `a PEM block "EC PARAMETERS" is no public key; ` + publicKeyRemedy,
		pkixPEM(t, keys.p521):                                                  "the key is on the curve P-521; use P-256 or P-384",
		jwkOf(t, keys.p521):                                                    `the JWK is on the curve "P-521"; use P-256 or P-384`,
		pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(weak)):              "the RSA key has 1024 bits; use 2048 to 8192",
		jwkOf(t, weak):              "the RSA key has 1024 bits; use 2048 to 8192",
		jwkOf(t, huge):              "the RSA key has 8193 bits; use 2048 to 8192",
		jwkOf(t, even):              "the RSA key's numbers are not those of one; make a new one",
		`{`:                         notJSON,
		`{}{}`:                      notJSON,
		`{"kty":"OKP","kty":"OKP"}`: notJSON,
		`{"kty":"OKP",}`:            notJSON,
		`{}`:                        `the JWK is of kty ""; ` + publicKeyRemedy,
		`{"KTY":"OKP","crv":"Ed25519","x":"` + x + `"}`:            `the JWK is of kty ""; ` + publicKeyRemedy,
		`{"kty":"oct","k":"AAAA"}`:                                 isPrivate,
		`{"kty":"OKP","crv":"Ed25519","x":"` + x + `","d":"AAAA"}`: isPrivate,
		`{"kty":"oct"}`: `the JWK is of kty "oct"; ` + publicKeyRemedy,
		`{"kty":"OKP","crv":"X25519","x":"` + x + `"}`:                        `the JWK is on the curve "X25519"; use Ed25519`,
		`{"kty":"OKP","crv":"Ed25519","x":"` + x + `="}`:                      "the JWK's x is missing or not base64url; " + publicKeyRemedy,
		`{"kty":"OKP","crv":"Ed25519","x":"` + b64(keys.ed[:31]) + `"}`:       "the JWK's x has 31 bytes and not 32; check that the key was copied whole",
		`{"kty":"OKP","crv":"Ed25519"}`:                                       "the JWK's x is missing or not base64url; " + publicKeyRemedy,
		`{"kty":"OKP","crv":"Ed25519","x":7}`:                                 "the JWK's x is not a string; " + publicKeyRemedy,
		`{"kty":"OKP","crv":"Ed25519","x":null}`:                              "the JWK's x is not a string; " + publicKeyRemedy,
		`{"kty":"OKP","crv":"Ed25519","use":"enc","x":"` + x + `"}`:           `the JWK is for use "enc"; give the one for signatures`,
		`{"kty":"OKP","crv":"Ed25519","key_ops":["encrypt"],"x":"` + x + `"}`: `the JWK's key_ops leave out "verify"; give the one for signatures`,
		`{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + x + `"}`:          "the JWK's point is not on its curve; check that the key was copied whole",
		`{"kty":"EC","crv":"P-384","x":"` + x + `","y":"` + x + `"}`:          "the JWK's x has 32 bytes and not 48; check that the key was copied whole",
		`{"kty":"RSA","n":"AAEB","e":"AQAB"}`:                                 "the JWK's n begins with a zero byte; encode the number without leading zeros",
		`{"kty":"RSA","n":"AQEB","e":"_____w"}`:                               "the JWK's e is larger than 31 bits; use 65537",
	} {
		got, err := ParsePublicKey(text)
		if err == nil || err.Error() != want || got != nil {
			t.Errorf("%.60q: %v\nwant %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the error repeats the text: %v", err)
		}
	}
}

func TestNewSecretKey(t *testing.T) {
	keys := newTestKeys(t)
	k, err := NewSecretKey("k1", "0123456789abcdef", "hmac-sha256")
	if err != nil || k.ID != "k1" || k.Secret.Reveal() != "0123456789abcdef" || k.Algorithm != "hmac-sha256" || k.PublicKey != nil {
		t.Errorf("%+v, %v", k, err)
	}
	if k, err := NewSecretKey("k1", "\x00\xff{4567890abcdef", ""); err != nil {
		t.Errorf("raw bytes: %+v, %v", k, err)
	}
	const form = "the secret is the text of an asymmetric key; put a public key under publicKey"
	for _, tc := range []struct {
		secret, algorithm, want string
	}{
		{"", "", "the secret has 0 bytes, fewer than 16; make one with: openssl rand -base64 32"},
		{"canary-canary-1", "", "the secret has 15 bytes, fewer than 16; make one with: openssl rand -base64 32"},
		{pkixPEM(t, keys.rsa), "", form},
		{"  " + pkixPEM(t, keys.rsa), "hmac-sha256", form},
		{jwkOf(t, keys.ed), "", form},
		{" whpk_" + b64(keys.ed), "", form},
		{"whsk_" + b64(keys.ed), "", form},
		{"0123456789abcdef", "ed25519", `algorithm "ed25519" does not verify with a secret; name one that fits, or none`},
	} {
		k, err := NewSecretKey("k1", authz.Secret(tc.secret), tc.algorithm)
		if err == nil || err.Error() != tc.want || k != nil {
			t.Errorf("%.30q: %v\nwant %s", tc.secret, err, tc.want)
		}
	}
}

func TestAlgorithmFitsKey(t *testing.T) {
	keys := newTestKeys(t)
	all := []string{"hmac-sha256", "ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha512", "rsa-v1_5-sha256"}
	for _, tc := range []struct {
		public any
		kind   string
		fits   string
	}{
		{keys.ed, "an Ed25519 key", "ed25519"},
		{keys.p256, "a P-256 key", "ecdsa-p256-sha256"},
		{keys.p384, "a P-384 key", "ecdsa-p384-sha384"},
		{keys.rsa, "an RSA key", "rsa-pss-sha512 rsa-v1_5-sha256"},
	} {
		for _, algorithm := range all {
			k, err := NewPublicKey("k1", pkixPEM(t, tc.public), algorithm)
			if strings.Contains(tc.fits, algorithm) {
				if err != nil || k.Algorithm != algorithm || k.Secret != "" {
					t.Errorf("%s with %s: %+v, %v", algorithm, tc.kind, k, err)
				}
				continue
			}
			if want := `algorithm "` + algorithm + `" does not verify with ` + tc.kind + "; name one that fits, or none"; err == nil || err.Error() != want {
				t.Errorf("%v\nwant %s", err, want)
			}
		}
	}
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)
	f.Add(`{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`)
	f.Add(`{"kty":"RSA","n":"AQEB","e":"AQAB"}`)
	f.Add("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n")
	f.Add("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	f.Fuzz(func(t *testing.T, text string) {
		public, err := ParsePublicKey(text)
		if (err == nil) != (public != nil) {
			t.Fatalf("%T, %v", public, err)
		}
		if err != nil {
			if _, ok := errors.AsType[*SigningKeyError](err); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		if err := checkPublicKey(public); err != nil {
			t.Fatal(err)
		}
		if !isKeyText(text) {
			t.Fatal("it would pass for a secret")
		}
	})
}
