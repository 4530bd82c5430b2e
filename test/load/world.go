package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// world is a directory of resources, and what to call with.
type world struct {
	dir     string
	config  string   // a postern.yaml; empty: the one that most worlds share
	hosts   []string // one policy each
	keys    []string // one for each App, or several
	digests []string // of the keys
}

// size says how much a world holds.
type size struct {
	policies, keys int
	keysPerApp     int // 0: the resources declare none of the keys
}

// secrets is what all worlds share, so that one kind of traffic fits them all.
type secrets struct {
	es256, rs256 *issuer
	signingID    string
	signing      []byte
}

func newSecrets() (*secrets, error) {
	es, err := newIssuer("https://es.login.example.com", "ES256")
	if err != nil {
		return nil, err
	}
	rs, err := newIssuer("https://rs.login.example.com", "RS256")
	if err != nil {
		return nil, err
	}
	return &secrets{es, rs, "AK0123456789", []byte("0123456789abcdef0123456789abcdef")}, nil
}

const (
	policiesPerFile = 100
	appsPerFile     = 1000
)

// newWorld writes the resources into dir.
func newWorld(dir string, s *secrets, n size) (*world, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	w := &world{dir: dir}
	if err := w.writeSchemes(s); err != nil {
		return nil, err
	}
	for i := range n.policies {
		w.hosts = append(w.hosts, fmt.Sprintf("service-%06d.example.com", i))
	}
	err := w.write("policies", n.policies, policiesPerFile, func(out *bufio.Writer, i int) {
		fmt.Fprintf(out, policyText, i, w.hosts[i])
	})
	if err != nil {
		return nil, err
	}
	if w.keys, w.digests, err = mintKeys(n.keys); err != nil || n.keysPerApp == 0 {
		return w, err
	}
	return w, w.write("apps", n.keys/n.keysPerApp, appsPerFile, func(out *bufio.Writer, i int) {
		fmt.Fprintf(out, appText, i, i%100)
		for j := range n.keysPerApp {
			fmt.Fprintf(out, "  - {name: key-%d, apiKey: {digest: \"%s\"}}\n", j, w.digests[i*n.keysPerApp+j])
		}
	})
}

// write writes n documents, so many to a file.
func (w *world) write(name string, n, perFile int, document func(out *bufio.Writer, i int)) error {
	for from := 0; from < n; from += perFile {
		f, err := os.Create(filepath.Join(w.dir, fmt.Sprintf("%s-%06d.yaml", name, from)))
		if err != nil {
			return err
		}
		out := bufio.NewWriter(f)
		for i := from; i < min(from+perFile, n); i++ {
			document(out, i)
		}
		if err := out.Flush(); err != nil {
			_ = f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) writeSchemes(s *secrets) error {
	es, err := s.es256.jwks()
	if err != nil {
		return err
	}
	rs, err := s.rs256.jwks()
	if err != nil {
		return err
	}
	text := fmt.Sprintf(schemesText, s.es256.name, audience, es, s.rs256.name, audience, rs, s.signingID)
	if err := os.WriteFile(filepath.Join(w.dir, "signing.secret"), s.signing, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.dir, "schemes.yaml"), []byte(strings.TrimPrefix(text, "\n")), 0o600)
}

const schemesText = `
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: partner-key, namespace: shop}
spec: {realm: shop, apiKey: {}}
---
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: login, namespace: shop}
spec:
  realm: shop
  jwt:
    issuers:
    - {issuer: %q, audiences: [%s], algorithms: [ES256], jwks: {inline: '%s'}}
    - {issuer: %q, audiences: [%s], algorithms: [RS256], jwks: {inline: '%s'}}
---
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: signed, namespace: shop}
spec: {realm: shop, signature: {profile: rfc9421, algorithms: [hmac-sha256]}}
---
apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: signing-partner, namespace: shop}
spec:
  credentials:
  - {name: signer, signing: {keyId: %s, secret: {file: signing.secret}}}
`

const policyText = `---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: service-%d, namespace: shop}
spec:
  hosts: [%s]
  rules:
  - name: health
    match: [{path: {exact: /healthz}}]
    security: [{}]
  - name: read
    match: [{path: {prefix: /v1/orders}, methods: [GET, HEAD]}]
    security: [{partner-key: [orders:read]}, {login: [orders:read]}]
  - name: write
    match: [{path: {prefix: /v1/orders}}]
    security: [{login: [orders:write]}]
  - name: pay
    match: [{path: {template: "/v1/payments/{id}"}}]
    security: [{signed: []}]
`

const appText = `---
apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: partner-%d, namespace: shop, labels: {tier: partner}}
spec:
  displayName: A partner
  owner: partners
  scopes: [orders:read, orders:write]
  attributes: {tenant: t%d}
  credentials:
`
