package harness

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
)

// Shop is the example resources of envoy/policies with credentials made at run time, in a directory of its own.
type Shop struct {
	Dir    string
	Key    string // API key of shop/acme, tenant t1, scopes orders:read and orders:write
	Reader string // another API key of it, without orders:write
	Secret string // acme's signing secret, key id "acme-1"
	Issuer *Issuer
}

// SigningKeyID names acme's signing key.
const SigningKeyID = "acme-1"

// apps is the resource that belongs to the generated credentials.
const apps = `apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: acme, namespace: shop, labels: {tier: partner}}
spec:
  displayName: Acme
  owner: acme
  scopes: [orders:read, orders:write]
  attributes: {tenant: t1}
  credentials:
  - name: main
    apiKey: {digest: %q}
  - name: reader
    apiKey: {digest: %q}
    scopes: [orders:read]
  - name: signer
    signing: {keyId: %s, secret: {file: acme.secret}}
`

// NewShop copies the example resources into dir and adds an app, its credentials and an issuer's key set.
func NewShop(ctx context.Context, bin, root, dir string) (*Shop, error) {
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "envoy", "policies"))); err != nil {
		return nil, err
	}
	key, err := GenerateKey(ctx, bin)
	if err != nil {
		return nil, err
	}
	reader, err := GenerateKey(ctx, bin)
	if err != nil {
		return nil, err
	}
	issuer, err := NewIssuer("https://login.example.com", "shop", "2026")
	if err != nil {
		return nil, err
	}
	s := &Shop{Dir: dir, Key: key.Key, Reader: reader.Key, Secret: rand.Text() + rand.Text(), Issuer: issuer}
	files := map[string]string{
		"apps.yaml":   fmt.Sprintf(apps, key.Digest, reader.Digest, SigningKeyID),
		"acme.secret": s.Secret + "\n",
		"jwks.json":   issuer.JWKS() + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Signer returns a signer with acme's key.
func (s *Shop) Signer() Signer { return Signer{KeyID: SigningKeyID, Secret: s.Secret} }
