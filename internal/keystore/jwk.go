package keystore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"slices"
)

var errJSON = errors.New("not one JSON object with each member once")

// jsonObject reads one JSON object. Unlike package json's structs it tells names of different case apart and refuses a
// member that stands twice.
func jsonObject(text []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errJSON
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, errJSON
		}
		name, _ := token.(string)
		if _, twice := members[name]; twice {
			return nil, errJSON
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errJSON
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errJSON
	}
	return members, nil
}

// jwk reads members of a JSON Web Key and remembers the first that could not be read.
type jwk struct {
	members map[string]json.RawMessage
	err     error
}

// parseJWK reads a public key (RFC 7517, with RFC 7518 section 6 and RFC 8037).
func parseJWK(text []byte) (any, error) {
	members, err := jsonObject(text)
	if err != nil {
		return nil, keyError(publicKeyRemedy, "the JWK is %v", err)
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if members[private] != nil {
			return nil, errPrivateKey
		}
	}
	k := &jwk{members: members}
	if use := k.text("use", "sig"); use != "sig" {
		return nil, keyError("give the one for signatures", `the JWK is for use %q`, use)
	}
	if !k.verifies() {
		return nil, keyError("give the one for signatures", `the JWK's key_ops leave out "verify"`)
	}
	var public any
	switch kty := k.text("kty", ""); kty {
	case "OKP":
		public = k.okp()
	case "EC":
		public = k.ec()
	case "RSA":
		public = k.rsa()
	default:
		return nil, keyError(publicKeyRemedy, "the JWK is of kty %q", kty)
	}
	if k.err != nil {
		return nil, k.err
	}
	return public, nil
}

func (k *jwk) fail(remedy, format string, args ...any) {
	if k.err == nil {
		k.err = keyError(remedy, format, args...)
	}
}

// text returns a member that is a string, or missing if it is not there.
func (k *jwk) text(name, missing string) string {
	value, ok := k.members[name]
	if !ok {
		return missing
	}
	var text *string
	if err := json.Unmarshal(value, &text); err != nil || text == nil {
		k.fail(publicKeyRemedy, "the JWK's %s is not a string", name)
		return ""
	}
	return *text
}

// octets returns a member in base64url without padding: of exactly length bytes, or, for length 0, of any length
// without leading zeros (RFC 7518 section 2, Base64urlUInt).
func (k *jwk) octets(name string, length int) []byte {
	octets, err := base64.RawURLEncoding.Strict().DecodeString(k.text(name, ""))
	switch {
	case err != nil || len(octets) == 0:
		k.fail(publicKeyRemedy, "the JWK's %s is missing or not base64url", name)
	case length == 0 && octets[0] == 0:
		k.fail("encode the number without leading zeros", "the JWK's %s begins with a zero byte", name)
	case length > 0 && len(octets) != length:
		k.fail("check that the key was copied whole", "the JWK's %s has %d bytes and not %d", name, len(octets), length)
	default:
		return octets
	}
	return nil
}

func (k *jwk) verifies() bool {
	value, ok := k.members["key_ops"]
	if !ok {
		return true
	}
	var ops []string
	return json.Unmarshal(value, &ops) == nil && slices.Contains(ops, "verify")
}

func (k *jwk) okp() any {
	if crv := k.text("crv", ""); crv != "Ed25519" {
		k.fail("use Ed25519", "the JWK is on the curve %q", crv)
	}
	return ed25519.PublicKey(k.octets("x", ed25519.PublicKeySize))
}

func (k *jwk) ec() any {
	var curve elliptic.Curve
	switch crv := k.text("crv", ""); crv {
	case "P-256":
		curve = elliptic.P256()
	case "P-384":
		curve = elliptic.P384()
	default:
		k.fail("use P-256 or P-384", "the JWK is on the curve %q", crv)
		return nil
	}
	width := curve.Params().BitSize / 8
	x, y := k.octets("x", width), k.octets("y", width)
	if k.err != nil {
		return nil
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		k.fail("check that the key was copied whole", "the JWK's point is not on its curve")
		return nil
	}
	return public
}

func (k *jwk) rsa() any {
	n, e := k.octets("n", 0), k.octets("e", 0)
	if len(e) > 4 || len(e) == 4 && e[0] > 0x7f {
		k.fail("use 65537", "the JWK's e is larger than 31 bits")
		return nil
	}
	exponent := 0
	for _, b := range e {
		exponent = exponent<<8 | int(b)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: exponent}
}
