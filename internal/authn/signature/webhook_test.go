package signature

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

const hookSecret = authz.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

// webhookKind is a way to sign a webhook, and what its request carries.
type webhookKind struct {
	name    string
	profile v1alpha1.SignatureProfile
	private any
	signing keystore.SigningKey
	headers []string
}

func webhookKinds() []webhookKind {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	secret := keystore.SigningKey{ID: "hook", Secret: hookSecret}
	public := keystore.SigningKey{ID: "hook", PublicKey: private.Public()}
	standard := []string{"webhook-id", "webhook-timestamp", "webhook-signature"}
	return []webhookKind{
		{"stripe", v1alpha1.ProfileStripe, hookSecret, secret, []string{"stripe-signature"}},
		{"github", v1alpha1.ProfileGitHub, hookSecret, secret, []string{"x-hub-signature-256"}},
		{"slack", v1alpha1.ProfileSlack, hookSecret, secret, []string{"x-slack-request-timestamp", "x-slack-signature"}},
		{"standard-webhooks v1", v1alpha1.ProfileStandardWebhooks, hookSecret, secret, standard},
		{"standard-webhooks v1a", v1alpha1.ProfileStandardWebhooks, private, public, standard},
	}
}

func kindOf(profile v1alpha1.SignatureProfile) webhookKind {
	for _, k := range webhookKinds() {
		if k.profile == profile {
			return k
		}
	}
	panic("no webhook has profile " + profile)
}

func (k *webhookKind) store() keys {
	store := keys{}
	store.add("rfc", &k.signing)
	return store
}

// scheme tries the keys of App hook; edit, unless nil, changes spec and options first.
func (k *webhookKind) scheme(t testing.TB, store keystore.Store, edit func(*v1alpha1.SignatureScheme, *Options)) *scheme {
	t.Helper()
	return newScheme(t, store, func(spec *v1alpha1.SignatureScheme, o *Options) {
		spec.Profile, spec.App = k.profile, "hook"
		if edit != nil {
			edit(spec, o)
		}
	})
}

func (k *webhookKind) request() SignRequest {
	q := SignRequest{
		Profile: k.profile, Method: "POST", URL: "https://example.com/hooks?from=1", Body: []byte(`{"order": 7}`),
		Key: k.private, Created: created,
	}
	if k.profile == v1alpha1.ProfileStandardWebhooks {
		q.Nonce = "msg_1"
	}
	return q
}

// TestWebhookVectors verifies published signatures, and those of the providers' own libraries.
func TestWebhookVectors(t *testing.T) {
	for _, profile := range []v1alpha1.SignatureProfile{
		v1alpha1.ProfileStripe, v1alpha1.ProfileGitHub, v1alpha1.ProfileSlack, v1alpha1.ProfileStandardWebhooks,
	} {
		kind := kindOf(profile)
		archives(t, string(profile), func(t *testing.T, file func(string) string) {
			store := keys{}
			for text := range strings.Lines(file("keys")) {
				store.add("rfc", hookKey(t, strings.TrimSuffix(text, "\n")))
			}
			r := readRequest(t, []byte(file("request")))
			if at := strings.TrimSpace(file("now")); at != "" {
				seconds, err := strconv.ParseInt(at, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				r.Now = time.Unix(seconds, 0)
			}
			s := kind.scheme(t, store, func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = always{} })

			w := newWork()
			defer w.release()
			if err := s.profile.parse(r, &w.claim); err != nil {
				t.Fatal(err)
			}
			base, _, err := s.profile.base(r, &w.claim, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSuffix(file("base"), "\n"), string(base)); diff != "" {
				t.Errorf("signed text (-want +got):\n%s", diff)
			}
			p, err := check(s, r)
			got := authz.ReasonOf(err).String()
			if err == nil {
				got = p.Subject
			}
			if want := strings.TrimSpace(file("want")); got != want {
				t.Errorf("answer %q (%v), want %q", got, err, want)
			}
		})
	}
}

// hookKey makes a key of App hook of the text that a provider gives.
func hookKey(t testing.TB, text string) *keystore.SigningKey {
	t.Helper()
	key, err := keystore.NewSecretKey("hook", authz.Secret(text), "")
	if strings.HasPrefix(text, "whpk_") {
		key, err = keystore.NewPublicKey("hook", text, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestWebhookSigned accepts what Sign makes, in every way that a good request may differ.
func TestWebhookSigned(t *testing.T) {
	for _, kind := range webhookKinds() {
		for name, c := range map[string]struct {
			spec    func(*v1alpha1.SignatureScheme, *Options)
			sign    func(*SignRequest)
			request func(*authz.Request)
		}{
			"plain":              {},
			"binary body":        {sign: func(q *SignRequest) { q.Body = []byte("\x00\xff\r\n.") }},
			"no body":            {sign: func(q *SignRequest) { q.Body = nil }},
			"no body, required":  {spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyRequired }, sign: func(q *SignRequest) { q.Body = nil }},
			"body, required":     {spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyRequired }},
			"no body, or so":     {sign: func(q *SignRequest) { q.Body = nil }, request: func(r *authz.Request) { r.Body.State = authz.BodyUnknown }},
			"headers joined":     {request: func(r *authz.Request) { r.RawHeaders = false }},
			"App in a namespace": {spec: func(s *v1alpha1.SignatureScheme, _ *Options) { s.App = "rfc/hook" }},
			"fields untrimmed": {request: func(r *authz.Request) {
				for i := range r.Headers {
					r.Headers[i].Value = " \t" + r.Headers[i].Value + " "
				}
			}},
		} {
			t.Run(kind.name+"/"+name, func(t *testing.T) {
				q := kind.request()
				if c.sign != nil {
					c.sign(&q)
				}
				r := signed(t, q)
				if c.request != nil {
					c.request(r)
				}
				p, err := check(kind.scheme(t, kind.store(), c.spec), r)
				if err != nil {
					t.Fatal(err)
				}
				if p.Subject != "app:rfc/hook" {
					t.Errorf("subject %q", p.Subject)
				}
			})
		}
	}
}

// TestWebhookUnsigned shows what the doc comments warn of: the rest of a request can be altered.
func TestWebhookUnsigned(t *testing.T) {
	for _, kind := range webhookKinds() {
		r := signed(t, kind.request())
		r.Method, r.Host, r.Path, r.Query = "PUT", "example.org", "/elsewhere", ""
		if _, err := check(kind.scheme(t, kind.store(), nil), r); err != nil {
			t.Errorf("%s: %v", kind.name, err)
		}
		if kind.profile.Unsigned() == "" {
			t.Errorf("%s: the profile does not warn of it", kind.name)
		}
	}
}

// TestWebhookChallenge names the header that is missing.
func TestWebhookChallenge(t *testing.T) {
	for _, kind := range webhookKinds() {
		name := kind.headers[len(kind.headers)-1]
		got := strings.ToLower(kind.scheme(t, keys{}, nil).Challenge("shop").String())
		if want := fmt.Sprintf(`signature realm="shop", header=%q`, name); got != want {
			t.Errorf("%s: %s, want %s", kind.name, got, want)
		}
	}
}

// TestWebhookExplained shows the text that the server expected to be signed.
func TestWebhookExplained(t *testing.T) {
	for _, kind := range webhookKinds() {
		q := kind.request()
		out, err := Sign(q)
		if err != nil {
			t.Fatal(err)
		}
		r := signed(t, q)
		r.Body.Bytes = []byte(`{"order": 8}`)
		_, err = check(kind.scheme(t, kind.store(), func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Explain = true }), r)
		failure, ok := errors.AsType[*authz.Failure](err)
		if !ok || failure.Explanation == nil {
			t.Fatalf("%s: %v", kind.name, err)
		}
		if want := strings.Replace(out.Base, `"order": 7`, `"order": 8`, 1); failure.Explanation.Text != want {
			t.Errorf("%s: told %q, want %q", kind.name, failure.Explanation.Text, want)
		}
	}
}
