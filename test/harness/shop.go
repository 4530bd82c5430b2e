package harness

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Shop is the example resources of envoy/policies with credentials made at run time, in a directory of its own.
type Shop struct {
	Dir    string
	Key    string // API key of shop/acme, tenant t1, scopes orders:read and orders:write
	Reader string // another API key of it, without orders:write
	Secret string // acme's signing secret, key id "acme-1"
	Stripe string // Stripe's signing secret for webhooks
	Issuer *Issuer
}

// SigningKeyID names acme's signing key.
const SigningKeyID = "acme-1"

// NewShop copies the example resources into dir, with credentials of its own for the app and a key set for the issuer.
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
	s := &Shop{
		Dir: dir, Key: key.Key, Reader: reader.Key, Issuer: issuer,
		Secret: rand.Text() + rand.Text(), Stripe: "whsec_" + rand.Text() + rand.Text(),
	}
	apps, err := os.ReadFile(filepath.Join(dir, "apps.yaml"))
	if err != nil {
		return nil, err
	}
	digests := strings.NewReplacer(placeholder(1), key.Digest, placeholder(2), reader.Digest)
	files := map[string]string{
		"apps.yaml":     digests.Replace(string(apps)),
		"acme.secret":   s.Secret + "\n",
		"stripe.secret": s.Stripe + "\n",
		"jwks.json":     issuer.JWKS() + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// placeholder returns the n-th digest in envoy/policies/apps.yaml.
func placeholder(n int) string { return fmt.Sprintf("sha256:%064d", n) }

// Signer returns a signer with acme's key.
func (s *Shop) Signer() Signer { return Signer{KeyID: SigningKeyID, Secret: s.Secret} }
