package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/postern-auth/postern/internal/authn/signature"
	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// The limits for HMAC without a body, and of the same with 1 KiB to digest.
const (
	limitSigned     = 0.85
	limitSignedBody = 1.0
)

// signedScenarios measures every profile but rfc9421 without a body, which is a scenario of its own. Webhooks sign
// nothing but a body.
func signedScenarios() []scenario {
	var list []scenario
	for _, profile := range v1alpha1.Profiles() {
		name := string(profile)
		if !isWebhook(profile) && profile != v1alpha1.ProfileRFC9421 {
			list = append(list, scenario{name, "HMAC (" + name + "), no body", signedBy(limitSigned, profile, nil)})
		}
		if isWebhook(profile) || profile == v1alpha1.ProfileRFC9421 || profile == v1alpha1.ProfileXCa || profile == v1alpha1.ProfileAWSSigV4 {
			body := []byte(`{"text": "` + strings.Repeat("x", 1000) + `"}`)
			list = append(list, scenario{name + "-body", "HMAC (" + name + "), 1 KiB body", signedBy(limitSignedBody, profile, body)})
		}
	}
	return list
}

func isWebhook(p v1alpha1.SignatureProfile) bool { return p.Keyless() }

// signedBy measures one profile against the yardstick, each request signed anew.
func signedBy(limit float64, profile v1alpha1.SignatureProfile, body []byte) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) {
		yes, err := b.alwaysYes(ctx)
		if err != nil {
			return result{}, err
		}
		w, err := b.newWorld("signed-"+string(profile), size{policies: 10, keys: 10, keysPerApp: 10})
		if err != nil {
			return result{}, err
		}
		if err := w.writeProfile(profile); err != nil {
			return result{}, err
		}
		postern, _, err := b.programs.startPostern(ctx, w)
		if err != nil {
			return result{}, err
		}
		defer postern.stop()
		t := withProfile(profile, b.secrets, body)
		c, err := compare(ctx, b.plan.brief(), side{yes, t}, side{postern, t})
		return ratioResult(c, limit), err
	}
}

// signedHost is the host whose policy asks for the profile.
const signedHost = "signed.example.com"

// writeProfile adds a scheme of the profile, and a policy that asks for it.
func (w *world) writeProfile(profile v1alpha1.SignatureProfile) error {
	options := ""
	switch {
	case profile == v1alpha1.ProfileAWSSigV4:
		options = "\n    awsSigV4: {regions: [us-east-1], services: [execute-api]}"
	case profile == v1alpha1.ProfileTemplate:
		options = "\n    template:" + templateText
	case profile.Keyless():
		options = "\n    app: signing-partner"
	}
	return w.write("signed", 1, 1, func(out *bufio.Writer, _ int) {
		fmt.Fprintf(out, signedText, profile, options, signedHost)
	})
}

const signedText = `---
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: profile, namespace: shop}
spec:
  signature:
    profile: %s%s
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: signed, namespace: shop}
spec: {hosts: [%s], security: [{profile: []}]}
`

const templateText = `
      text: '{timestamp}\n{method}\n{host}\n{path}\n{query_sorted}\n{nonce}\n{body_sha256_hex}'
      signature: {header: X-Signature, encoding: hex}
      keyId: {header: X-Key-Id}
      timestamp: {header: X-Timestamp, unit: s}
      nonce: {header: X-Nonce}`

// template is what templateText says.
var template = &v1alpha1.SignatureTemplate{
	Text:      `{timestamp}\n{method}\n{host}\n{path}\n{query_sorted}\n{nonce}\n{body_sha256_hex}`,
	Algorithm: "hmac-sha256",
	Signature: v1alpha1.TemplateSignature{Header: "X-Signature", Encoding: v1alpha1.EncodingHex},
	KeyID:     &v1alpha1.TemplateField{Header: "X-Key-Id"},
	Timestamp: &v1alpha1.TemplateTimestamp{Header: "X-Timestamp", Unit: v1alpha1.UnitSeconds},
	Nonce:     &v1alpha1.TemplateField{Header: "X-Nonce"},
}

// withProfile signs every request anew, as the profile's clients do. No two requests are the same.
func withProfile(profile v1alpha1.SignatureProfile, s *secrets, body []byte) traffic {
	return func(int) (func() []byte, error) {
		n := rand.Uint64() // where the numbers of a worker begin
		sign := func() ([]byte, error) {
			n++
			return signedMessage(profile, s, body, n)
		}
		_, err := sign()
		return func() []byte {
			message, err := sign()
			if err != nil {
				panic(err) // it worked a moment ago
			}
			return message
		}, err
	}
}

// signedMessage encodes the n-th request.
func signedMessage(profile v1alpha1.SignatureProfile, s *secrets, body []byte, n uint64) ([]byte, error) {
	q := signature.SignRequest{
		Profile: profile, Method: "GET", URL: fmt.Sprintf("https://%s/v1/payments/7?currency=EUR&n=%016x", signedHost, n),
		KeyID: s.signingID, Key: authz.Secret(s.signing), Created: time.Now(),
		Headers: []authz.Header{{Name: "accept", Value: accepted}}, // every message has it
	}
	switch profile {
	case v1alpha1.ProfileAWSSigV4:
		q.Region, q.Service = "us-east-1", "execute-api"
	case v1alpha1.ProfileTemplate:
		q.Template, q.Nonce = template, fmt.Sprintf("%016x", n)
	case v1alpha1.ProfileRFC9421, v1alpha1.ProfileXCa, v1alpha1.ProfileStandardWebhooks:
		q.Nonce = fmt.Sprintf("%016x", n)
	default: // no other has a nonce
	}
	if body != nil {
		q.Method, q.Body = "POST", fmt.Appendf(nil, `{"n": "%016x", %s`, n, body[1:])
		q.Headers = append(q.Headers, authz.Header{Name: "content-type", Value: "application/json"})
	}
	signed, err := signature.Sign(q)
	if err != nil {
		return nil, err
	}
	var headers [][2]string
	for _, h := range append(q.Headers[1:], signed.Headers...) {
		headers = append(headers, [2]string{strings.ToLower(h.Name), h.Value})
	}
	target := strings.TrimPrefix(q.URL, "https://"+signedHost)
	return proto.Marshal(checkRequest(q.Method, signedHost, target, headers, q.Body))
}
