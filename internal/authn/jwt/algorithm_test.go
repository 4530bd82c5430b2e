package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	jwxjwk "github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// TestSignatureForms holds signatures that are right in substance and wrong in form.
func TestSignatureForms(t *testing.T) {
	k := keys()
	text := []byte("text")
	rsaKey := k.rsa.private.(*rsa.PrivateKey)
	ecKey := k.es256.private.(*ecdsa.PrivateKey)
	pss := func(salt int) []byte {
		s, err := rsa.SignPSS(rand.Reader, rsaKey, crypto.SHA256, algorithms["PS256"].digest(text), &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	der, err := ecdsa.SignASN1(rand.Reader, ecKey, algorithms["ES256"].digest(text))
	if err != nil {
		t.Fatal(err)
	}
	raw := k.es256.sign(text)
	order := ecKey.Curve.Params().N
	wrapped := new(big.Int).Add(new(big.Int).SetBytes(raw[:32]), order) // r+n is the same number modulo n
	rs := k.rsa.sign(text)
	ed := k.ed.sign(text)
	edOrder, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

	for name, c := range map[string]struct {
		alg       string
		by        *signer
		signature []byte
		want      bool
	}{
		"PSS salt of the hash's length": {"PS256", k.rsa, pss(32), true},
		"PSS without salt":              {"PS256", k.rsa, pss(0), false},
		"PSS short salt":                {"PS256", k.rsa, pss(20), false},
		"PSS longest salt":              {"PS256", k.rsa, pss(rsa.PSSSaltLengthAuto), false},
		"PKCS #1 v1.5 for PSS":          {"PS256", k.rsa, rs, false},
		"PSS for PKCS #1 v1.5":          {"RS256", k.rsa, pss(32), false},
		"other hash":                    {"RS384", k.rsa, rs, false},
		"RSA with a zero in front":      {"RS256", k.rsa, append([]byte{0}, rs...), false},
		"RSA cut":                       {"RS256", k.rsa, rs[:255], false},
		"RSA empty":                     {"RS256", k.rsa, nil, false},
		"ES256 raw":                     {"ES256", k.es256, raw, true},
		"ES256 DER":                     {"ES256", k.es256, der, false},
		"ES256 zeros":                   {"ES256", k.es256, make([]byte, 64), false},
		"ES256 zero in front of each":   {"ES256", k.es256, append(append(append([]byte{0}, raw[:32]...), 0), raw[32:]...), false},
		"ES256 byte behind":             {"ES256", k.es256, append(append([]byte{}, raw...), 0), false},
		"ES256 empty":                   {"ES256", k.es256, nil, false},
		"ES256 r+n":                     {"ES256", k.es256, append(wrapped.Bytes(), raw[32:]...), false},
		"ES256 s=n":                     {"ES256", k.es256, append(append([]byte{}, raw[:32]...), order.Bytes()...), false},
		"ES256 key for ES384":           {"ES384", k.es256, raw, false},
		"Ed25519":                       {"EdDSA", k.ed, ed, true},
		"Ed25519 s+L":                   {"EdDSA", k.ed, addOrder(ed, edOrder), false},
		"Ed25519 cut":                   {"EdDSA", k.ed, ed[:63], false},
		"Ed25519 long":                  {"EdDSA", k.ed, append(append([]byte{}, ed...), 0), false},
		"RSA key for EdDSA":             {"EdDSA", k.rsa, ed, false},
		"public key for HS256":          {"HS256", k.rsa, rs, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := algorithms[c.alg].verify(c.by.private.Public(), text, c.signature); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
	if algorithms["RS256"].verify(nil, text, rs) || algorithms["RS256"].verify("key", text, rs) {
		t.Error("something that is no key verifies")
	}
}

// addOrder adds the group's order to the scalar of an Ed25519 signature, which is little-endian.
func addOrder(signature []byte, order *big.Int) []byte {
	reversed := func(b []byte) []byte {
		out := make([]byte, len(b))
		for i := range b {
			out[len(b)-1-i] = b[i]
		}
		return out
	}
	s := new(big.Int).SetBytes(reversed(signature[32:]))
	s.Add(s, order)
	return append(append([]byte{}, signature[:32]...), reversed(s.FillBytes(make([]byte, 32)))...)
}

// TestInterop: tokens that jwx signs are good here, with the keys that jwx writes.
func TestInterop(t *testing.T) {
	k := keys()
	for _, c := range []struct {
		alg jwa.SignatureAlgorithm
		by  *signer
	}{
		{jwa.RS256, k.rsa}, {jwa.RS512, k.rsa}, {jwa.PS256, k.rsa}, {jwa.PS384, k.rsa}, {jwa.ES256, k.es256},
		{jwa.ES384, k.es384}, {jwa.ES512, k.es512}, {jwa.EdDSA, k.ed},
	} {
		t.Run(c.alg.String(), func(t *testing.T) {
			private, err := jwxjwk.FromRaw(c.by.private)
			if err != nil {
				t.Fatal(err)
			}
			if err := private.Set(jwxjwk.KeyIDKey, c.by.id); err != nil {
				t.Fatal(err)
			}
			public, err := private.PublicKey()
			if err != nil {
				t.Fatal(err)
			}
			jwks := toJSON(map[string]any{"keys": []any{public}})
			token, err := jws.Sign([]byte(toJSON(claims(nil))), jws.WithKey(c.alg, private))
			if err != nil {
				t.Fatal(err)
			}
			p, err := authenticate(t, compile(t, spec(jwks, allAlgorithms), Options{}), request(string(token)))
			wantAccepted(t, p, err)
		})
	}
}
