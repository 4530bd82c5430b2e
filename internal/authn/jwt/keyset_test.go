package jwt

import (
	"crypto/rsa"
	"errors"
	"maps"
	"strings"
	"testing"
)

// edited is a key with members replaced, or left out where nil.
func edited(k, replaced object) object {
	k = maps.Clone(k)
	maps.Copy(k, replaced)
	maps.DeleteFunc(k, func(_ string, v any) bool { return v == nil })
	return k
}

func TestParseKeySet(t *testing.T) {
	k := keys()
	es, rs, ed := k.es256.jwk(), k.rsa.jwk(), k.ed.jwk()
	off := edited(es, object{"y": es["x"]})
	long := b64([]byte(strings.Repeat("\xff", 1025)))
	for name, c := range map[string]struct {
		jwk     any
		usable  bool
		refused string
	}{
		"EC":                  {es, true, ""},
		"RSA":                 {rs, true, ""},
		"Ed25519":             {ed, true, ""},
		"no use":              {edited(es, object{"use": nil}), true, ""},
		"verify":              {edited(es, object{"key_ops": []string{"verify"}}), true, ""},
		"right alg":           {edited(rs, object{"alg": "PS512"}), true, ""},
		"Ed25519 alg":         {edited(ed, object{"alg": "Ed25519"}), true, ""},
		"broken x5c":          {edited(es, object{"x5c": "?", "x5u": 7}), true, ""},
		"for encryption":      {edited(rs, object{"use": "enc"}), false, ""},
		"unknown use":         {edited(rs, object{"use": "SIG"}), false, ""},
		"sign only":           {edited(es, object{"key_ops": []string{"sign"}}), false, ""},
		"no operations":       {edited(es, object{"key_ops": []string{}}), false, ""},
		"encryption alg":      {edited(rs, object{"alg": "RSA-OAEP"}), false, ""},
		"alg none":            {edited(rs, object{"alg": "none"}), false, ""},
		"unknown kty":         {object{"kty": "AKP", "kid": "x", "pub": "AA"}, false, ""},
		"no kty":              {edited(es, object{"kty": nil}), false, ""},
		"X25519":              {edited(ed, object{"crv": "X25519"}), false, ""},
		"secp256k1":           {edited(es, object{"crv": "secp256k1"}), false, ""},
		"EC without curve":    {edited(es, object{"crv": nil}), false, ""},
		"symmetric":           {object{"kty": "oct", "k": "AAAA"}, false, "keys[0]: a symmetric key"},
		"private":             {edited(es, object{"d": es["x"]}), false, "a private key"},
		"alg of another kty":  {edited(es, object{"alg": "RS256"}), false, "its alg RS256 does not fit its kty"},
		"alg of other curve":  {edited(es, object{"alg": "ES384"}), false, "its alg ES384 does not fit its kty"},
		"HS256 alg":           {edited(rs, object{"alg": "HS256"}), false, "its alg HS256 does not fit"},
		"off the curve":       {off, false, "not a point on its curve"},
		"no coordinates":      {edited(es, object{"x": nil}), false, "required field x is missing"},
		"other curve's point": {edited(es, object{"crv": "P-384"}), false, "not a point on its curve"},
		"no modulus":          {edited(rs, object{"n": nil}), false, "required field n is missing"},
		"modulus no string":   {edited(rs, object{"n": 5}), false, "n"},
		"RSA 2047":            {edited(rs, object{"n": b64([]byte("\x7f" + strings.Repeat("\xff", 255)))}), false, "an RSA key of 2047 bits; 2048 to 8192 are accepted"},
		"RSA 8200":            {edited(rs, object{"n": long}), false, "an RSA key of 8200 bits"},
		"RSA e=1":             {edited(rs, object{"e": "AQ"}), false, "exponent"},
		"RSA e even":          {edited(rs, object{"e": "AQAA"}), false, "exponent"},
		"short Ed25519":       {edited(ed, object{"x": "AAAA"}), false, ""},
		"not an object":       {"key", false, "not a JWK"},
		"kid no string":       {edited(es, object{"kid": 1}), false, "not a JWK"},
		"key_ops no array":    {edited(es, object{"key_ops": "verify"}), false, "not a JWK"},
	} {
		t.Run(name, func(t *testing.T) {
			got, refused, err := parseKeySet([]byte(toJSON(object{"keys": []any{c.jwk}})))
			if err != nil || (len(got.keys) == 1) != c.usable {
				t.Fatalf("got %v, %v, %v", got, refused, err)
			}
			if c.refused != "" && (len(refused) != 1 || !strings.Contains(refused[0].Error(), c.refused)) {
				t.Errorf("refused %v, want %s", refused, c.refused)
			}
		})
	}
}

func TestParseKeySetRefuses(t *testing.T) {
	many := make([]object, 101)
	for i := range many {
		many[i] = keys().es256.jwk()
	}
	for name, c := range map[string]struct{ text, want string }{
		"HTML":     {"<html>", "not one JSON object"},
		"array":    {"[]", "not one JSON object"},
		"no keys":  {"{}", `not a JWK Set: it has no array "keys"`},
		"null":     {`{"keys":null}`, "not a JWK Set"},
		"twice":    {`{"keys":[],"keys":[]}`, "stands twice"},
		"too many": {set(many...), "a JWK Set of 101 keys; 100 are the most"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := parseKeySet([]byte(c.text))
			if got != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v, want %s", got, err, c.want)
			}
		})
	}
	if got, _, err := parseKeySet([]byte(set(many[:100]...))); err != nil || len(got.keys) != 100 {
		t.Errorf("100 keys: %v", err)
	}
	if got, _, err := parseKeySet([]byte(set())); err != nil || len(got.keys) != 0 {
		t.Errorf("an empty set: %v, %v", got, err)
	}
}

func TestFind(t *testing.T) {
	k := keys()
	es256, es384, rs256, ps256 := algorithms["ES256"], algorithms["ES384"], algorithms["RS256"], algorithms["PS256"]
	same := func(k *signer) object { return edited(k.jwk(), object{"kid": "same"}) }
	for name, c := range map[string]struct {
		jwks string
		kid  string
		alg  *algorithm
		want error
	}{
		"by kid":                    {set(k.es256.jwk(), k.other256.jwk()), "other256", es256, nil},
		"unknown":                   {set(k.es256.jwk()), "other", es256, errUnknownKey},
		"empty set":                 {set(), "es256", es256, errUnknownKey},
		"one kid, two types":        {set(same(k.es256), same(k.rsa)), "same", rs256, nil},
		"one kid, two curves":       {set(same(k.es256), same(k.es384)), "same", es384, nil},
		"one kid, two algs":         {set(edited(same(k.rsa), object{"alg": "RS256"}), edited(same(k.rsa), object{"alg": "PS256"})), "same", ps256, nil},
		"one kid, no difference":    {set(same(k.es256), same(k.other256)), "same", es256, errTwoKeys},
		"one kid, the very same":    {set(same(k.es256), same(k.es256)), "same", es256, errTwoKeys},
		"wrong alg for the kid":     {set(edited(k.rsa.jwk(), object{"alg": "PS256"})), "rsa", rs256, errKeyType},
		"no kid, one":               {set(k.es256.jwk()), "-", es256, nil},
		"no kid, one of other type": {set(k.es256.jwk()), "-", rs256, errKeyType},
		"no kid, two":               {set(k.es256.jwk(), k.rsa.jwk()), "-", es256, errNoKeyID},
		"no kid, one for tokens":    {set(k.es256.jwk(), edited(k.rsa.jwk(), object{"use": "enc"})), "-", es256, nil},
		"no kid, none":              {set(), "-", es256, errNoKeyID},
		"a key without id":          {set(edited(k.es256.jwk(), object{"kid": nil})), "es256", es256, errUnknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			s, refused, err := parseKeySet([]byte(c.jwks))
			if err != nil || refused != nil {
				t.Fatal(refused, err)
			}
			tok := &token{keyID: c.kid, hasKeyID: true}
			if c.kid == "-" {
				tok = &token{}
			}
			found, err := s.find(tok, c.alg)
			if c.want == nil && (err != nil || !c.alg.fits(found.public)) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, %v, want %v", found, err, c.want)
			}
		})
	}
}

// FuzzParseKeySet: no document upsets it, and the keys it accepts are of the kinds and sizes that are allowed.
func FuzzParseKeySet(f *testing.F) {
	k := keys()
	f.Add([]byte(set(k.rsa.jwk(), k.es256.jwk(), k.ed.jwk(), k.es512.jwk())))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"","e":""},{"kty":"OKP","crv":"Ed25519","x":""},7]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		s, _, err := parseKeySet(document)
		if err != nil {
			return
		}
		for _, k := range s.keys {
			fits := false
			for _, a := range algorithms {
				fits = fits || a.fits(k.public)
				if a.verify(k.public, []byte("text"), make([]byte, 64)) && a != edDSA { // Ed25519 has degenerate keys
					t.Fatalf("%s: zeros are a signature of %v", a.name, k.public)
				}
			}
			if r, ok := k.public.(*rsa.PublicKey); ok && (r.Size() < minRSABits/8 || r.Size() > maxRSABits/8) || !fits {
				t.Fatalf("a key that must not be used: %v", k.public)
			}
		}
	})
}
