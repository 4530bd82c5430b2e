package signature

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func TestStandardWebhooksRefused(t *testing.T) {
	kind := kindOf(v1alpha1.ProfileStandardWebhooks)
	list := func(from, to string) func(*authz.Request) { return replaceIn("webhook-signature", from, to) }
	zeros := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	kind.testRefused(t, map[string]refusal{
		"no signature":       {request: without("webhook-signature"), reason: authz.ReasonNoCredential, text: "no signature fields"},
		"no id":              {request: without("webhook-id"), reason: authz.ReasonMalformedCredential, text: "webhook-id header is not there"},
		"id empty":           {request: setTo("webhook-id", " "), reason: authz.ReasonMalformedCredential, text: "webhook-id header is not there"},
		"id with dot":        {request: setTo("webhook-id", "msg.1"), reason: authz.ReasonMalformedCredential, text: "without '.'"},
		"id with space":      {request: setTo("webhook-id", "msg 1"), reason: authz.ReasonMalformedCredential, text: "visible ASCII"},
		"id not ASCII":       {request: setTo("webhook-id", "msg_\xc3\xa9"), reason: authz.ReasonMalformedCredential, text: "visible ASCII"},
		"id another":         {request: setTo("webhook-id", "msg_2"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"no time":            {request: without("webhook-timestamp"), reason: authz.ReasonMalformedCredential, text: "timestamp is not there"},
		"time with fraction": {request: setTo("webhook-timestamp", "1618884473.0"), reason: authz.ReasonMalformedCredential, text: "in digits"},
		"time moved":         {request: setTo("webhook-timestamp", "1618884474"), reason: authz.ReasonBadSignature, text: "does not verify"},
		"empty":              {request: setTo("webhook-signature", ""), reason: authz.ReasonMalformedCredential, text: "no v1 or v1a"},
		"v1 empty":           {request: setTo("webhook-signature", "v1,"), reason: authz.ReasonMalformedCredential, text: "not of its version's length"},
		"v1 without comma":   {request: setTo("webhook-signature", "v1"), reason: authz.ReasonMalformedCredential, text: "not of its version's length"},
		"v2 alone":           {request: list("v1,", "v2,"), reason: authz.ReasonMalformedCredential, text: "no v1 or v1a"},
		"V1":                 {request: list("v1,", "V1,"), reason: authz.ReasonMalformedCredential, text: "no v1 or v1a"},
		"v1 unpadded":        {request: list("=", ""), reason: authz.ReasonMalformedCredential, text: "not base64"},
		"v1 with stray bits": {request: setTo("webhook-signature", "v1,"+strings.Repeat("A", 42)+"B="), reason: authz.ReasonMalformedCredential, text: "not base64"},
		"v1 in two lines":    {request: setTo("webhook-signature", "v1,"+zeros(32)[:40]+"\r\n"+zeros(32)[40:]), reason: authz.ReasonMalformedCredential, text: "not base64"},
		"v1 in base64url":    {request: setTo("webhook-signature", "v1,"+strings.Repeat("_", 42)+"8="), reason: authz.ReasonMalformedCredential, text: "not base64"},
		"v1 of 64 bytes":     {request: setTo("webhook-signature", "v1,"+zeros(64)), reason: authz.ReasonMalformedCredential, text: "not of its version's length"},
		"v1a of 32 bytes":    {request: list("v1,", "v1a,"), reason: authz.ReasonMalformedCredential, text: "not of its version's length"},
		"v1a for an HMAC":    {request: setTo("webhook-signature", "v1a,"+zeros(64)), reason: authz.ReasonBadSignature, text: "does not verify"},
		"another id of svix": {request: setTo("svix-id", "msg_2"), reason: authz.ReasonAmbiguousCredential, text: "webhook-… and svix-… headers differ"},
		"another time of svix": {
			request: setTo("svix-timestamp", "1618884474"), reason: authz.ReasonAmbiguousCredential, text: "webhook-… and svix-… headers differ",
		},
		"another signature of svix": {
			request: setTo("svix-signature", "v1,"+zeros(32)), reason: authz.ReasonAmbiguousCredential, text: "webhook-… and svix-… headers differ",
		},
		"svix empty": {request: setTo("svix-id", ""), reason: authz.ReasonAmbiguousCredential, text: "webhook-… and svix-… headers differ"},
		"svix repeated": {
			request: both(setTo("svix-id", "msg_1"), again("svix-id")), reason: authz.ReasonAmbiguousCredential, text: "occurs more than once",
		},
		"the other algorithm": {
			spec:   func(s *v1alpha1.SignatureScheme, _ *Options) { s.Algorithms = []string{"ed25519"} },
			reason: authz.ReasonAlgorithmRefused, text: "no accepted algorithm fits",
		},
		"secret as text": {
			// HMAC with the text of the secret, as other providers do.
			request: func(r *authz.Request) {
				mac, _ := hmacSHA256.signs(hookSecret, []byte("msg_1.1618884473."+string(r.Body.Bytes)))
				setHeader(r, "webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac))
			},
			reason: authz.ReasonBadSignature, text: "does not verify",
		},
	})
}

// TestStandardWebhooksNames accepts svix's names, alone or beside the same under the others.
func TestStandardWebhooksNames(t *testing.T) {
	kind := kindOf(v1alpha1.ProfileStandardWebhooks)
	for name, keep := range map[string]bool{"svix alone": false, "both": true} {
		r := signed(t, kind.request())
		for _, h := range kind.headers {
			setHeader(r, strings.Replace(h, "webhook-", "svix-", 1), header(r, h))
			if !keep {
				removeHeader(r, h)
			}
		}
		if _, err := check(kind.scheme(t, kind.store(), nil), r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStandardWebhooksKeys tries each kind of key with the signatures of its version, and no other.
func TestStandardWebhooksKeys(t *testing.T) {
	kind := kindOf(v1alpha1.ProfileStandardWebhooks)
	private := seededKey(t, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	public := private.Public().(ed25519.PublicKey)
	whpk := "whpk_" + base64.StdEncoding.EncodeToString(public)
	raw := "0123456789abcdefghijklmnopqrstuv"
	padded := "whsec_" + base64.StdEncoding.EncodeToString([]byte(raw))
	for name, c := range map[string]struct {
		signer any
		stored []string
		want   authz.Reason
	}{
		"padded":                      {authz.Secret(raw), []string{padded}, authz.ReasonAuthenticated},
		"unpadded":                    {authz.Secret(raw), []string{strings.TrimRight(padded, "=")}, authz.ReasonAuthenticated},
		"raw bytes":                   {authz.Secret(padded), []string{raw}, authz.ReasonAuthenticated},
		"not base64":                  {authz.Secret(raw), []string{"whsec_0123456789!"}, authz.ReasonAlgorithmRefused},
		"too short":                   {authz.Secret(raw), []string{"whsec_0123456789"}, authz.ReasonAlgorithmRefused},
		"a good one beside a bad one": {authz.Secret(raw), []string{"whsec_0123456789", padded}, authz.ReasonAuthenticated},
		"Ed25519":                     {private, []string{whpk}, authz.ReasonAuthenticated},
		"Ed25519 beside a secret":     {private, []string{padded, whpk}, authz.ReasonAuthenticated},
		"secret beside Ed25519":       {authz.Secret(raw), []string{whpk, padded}, authz.ReasonAuthenticated},
		"public key as a secret":      {authz.Secret(public), []string{whpk}, authz.ReasonBadSignature},
		"public key's text":           {authz.Secret(whpk), []string{whpk}, authz.ReasonBadSignature},
	} {
		store := keys{}
		for _, text := range c.stored {
			store.add("rfc", hookKey(t, text))
		}
		q := kind.request()
		q.Key = c.signer
		_, err := check(kind.scheme(t, store, nil), signed(t, q))
		got := authz.ReasonAuthenticated
		if err != nil {
			got = authz.ReasonOf(err)
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestStandardWebhooksKeyState refuses a good signature of a key that is not good, unless another of the list is.
func TestStandardWebhooksKeyState(t *testing.T) {
	kind := kindOf(v1alpha1.ProfileStandardWebhooks)
	store := kind.store()
	retired := store.add("rfc", &keystore.SigningKey{ID: "hook", Secret: "the secret of last year"})
	retired.ExpiresAt = now.Add(-time.Second)
	q := kind.request()
	q.Key = authz.Secret("the secret of last year")
	r := signed(t, q)
	p, err := check(kind.scheme(t, store, nil), r)
	wantRefused(t, p, err, authz.ReasonKeyExpired, "")

	setHeader(r, "webhook-signature", header(r, "webhook-signature")+" "+header(signed(t, kind.request()), "webhook-signature"))
	if _, err := check(kind.scheme(t, store, nil), r); err != nil {
		t.Error(err)
	}
}

func seededKey(t testing.TB, seed string) ed25519.PrivateKey {
	t.Helper()
	b, err := hex.DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(b)
}

// decoded is the bytes of a secret in Standard Webhooks' form.
func decoded(t testing.TB, secret authz.Secret) authz.Secret {
	t.Helper()
	b, ok := webhookSecret(secret)
	if !ok {
		t.Fatal("not base64")
	}
	return b
}
