package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"math/big"
	"time"

	"github.com/postern-auth/postern/internal/keystore"
)

// mintKeys returns n API keys and their digests as an App writes them.
func mintKeys(n int) (keys, digests []string, err error) {
	for range n {
		key, err := keystore.Mint(keystore.DefaultPrefix)
		if err != nil {
			return nil, nil, err
		}
		sum := sha256.Sum256([]byte(key.Reveal()))
		keys = append(keys, key.Reveal())
		digests = append(digests, "sha256:"+hex.EncodeToString(sum[:]))
	}
	return keys, digests, nil
}

// issuer signs tokens of fixed length.
type issuer struct {
	name, algorithm string
	ec              *ecdsa.PrivateKey // for ES256
	rsa             *rsa.PrivateKey   // for RS256
}

const audience = "orders"

func newIssuer(name, algorithm string) (*issuer, error) {
	i := &issuer{name: name, algorithm: algorithm}
	var err error
	if algorithm == "RS256" {
		i.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		i.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return i, err
}

// jwks returns the issuer's key set.
func (i *issuer) jwks() (string, error) {
	if i.rsa != nil {
		return fmt.Sprintf(`{"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": %q, "n": %q, "e": %q}]}`,
			i.name, url64(i.rsa.N.Bytes()), url64(big.NewInt(int64(i.rsa.E)).Bytes())), nil
	}
	point, err := i.ec.PublicKey.Bytes()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`{"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": %q, "x": %q, "y": %q}]}`,
		i.name, url64(point[1:33]), url64(point[33:])), nil
}

// token signs the n-th token.
func (i *issuer) token(n uint64, now time.Time) (string, error) {
	header := fmt.Sprintf(`{"alg":%q,"typ":"JWT","kid":%q}`, i.algorithm, i.name)
	claims := fmt.Sprintf(`{"iss":%q,"sub":"user-%06d","aud":%q,"scope":"orders:read orders:write profile",`+
		`"client_id":"mobile-app","iat":%d,"exp":%d,"jti":"%016x"}`,
		i.name, n%1e6, audience, now.Unix(), now.Add(time.Hour).Unix(), n)
	input := url64([]byte(header)) + "." + url64([]byte(claims))
	digest := sha256.Sum256([]byte(input))
	signature, err := i.sign(digest[:])
	return input + "." + url64(signature), err
}

func (i *issuer) sign(digest []byte) ([]byte, error) {
	if i.rsa != nil {
		return rsa.SignPKCS1v15(nil, i.rsa, crypto.SHA256, digest)
	}
	r, s, err := ecdsa.Sign(rand.Reader, i.ec, digest)
	if err != nil {
		return nil, err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature, nil
}

func url64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// signer signs GET requests with HTTP Message Signatures (RFC 9421), hmac-sha256, each with a nonce of its own.
type signer struct {
	keyID string
	mac   hash.Hash
	base  string // of what does not change, up to the parameters
	n     uint64
}

// newSigner makes a signer for one target.
func newSigner(keyID string, secret []byte, host, path, query string) *signer {
	return &signer{keyID: keyID, mac: hmac.New(sha256.New, secret), base: fmt.Sprintf(
		"\"@method\": GET\n\"@authority\": %s\n\"@path\": %s\n\"@query\": ?%s\n\"@signature-params\": ", host, path, query)}
}

// next returns the values of Signature-Input and Signature; their lengths never change.
func (s *signer) next(now time.Time) (input, signature string) {
	s.n++
	params := fmt.Sprintf(`("@method" "@authority" "@path" "@query");created=%d;keyid=%q;nonce="%016x"`, now.Unix(), s.keyID, s.n)
	s.mac.Reset()
	s.mac.Write([]byte(s.base + params))
	return "sig1=" + params, "sig1=:" + base64.StdEncoding.EncodeToString(s.mac.Sum(nil)) + ":"
}
