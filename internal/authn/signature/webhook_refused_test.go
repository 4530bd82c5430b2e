package signature

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// refusal is a request that is good but for one thing.
type refusal struct {
	spec    func(*v1alpha1.SignatureScheme, *Options)
	sign    func(*SignRequest)
	request func(*authz.Request)
	reason  authz.Reason
	text    string
}

func (k *webhookKind) testRefused(t *testing.T, cases map[string]refusal) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			q := k.request()
			if c.sign != nil {
				c.sign(&q)
			}
			r := signed(t, q)
			if c.request != nil {
				c.request(r)
			}
			p, err := check(k.scheme(t, k.store(), c.spec), r)
			wantRefused(t, p, err, c.reason, c.text)
		})
	}
}

func replaceIn(name, from, to string) func(*authz.Request) {
	return func(r *authz.Request) {
		was := header(r, name)
		if !strings.Contains(was, from) {
			panic(name + " has no " + from)
		}
		setHeader(r, name, strings.Replace(was, from, to, 1))
	}
}

func setTo(name, value string) func(*authz.Request) {
	return func(r *authz.Request) { setHeader(r, name, value) }
}

func without(names ...string) func(*authz.Request) {
	return func(r *authz.Request) {
		for _, name := range names {
			removeHeader(r, name)
		}
	}
}

// again repeats a field, as Envoy shows it with raw headers.
func again(name string) func(*authz.Request) {
	return func(r *authz.Request) {
		r.Headers = append(r.Headers, authz.Header{Name: name, Value: header(r, name)})
	}
}

// joined repeats a field, as Envoy shows it without raw headers.
func joined(name string) func(*authz.Request) {
	return func(r *authz.Request) { setHeader(r, name, header(r, name)+","+header(r, name)) }
}

// TestWebhookRefused has what all of the profiles refuse.
func TestWebhookRefused(t *testing.T) {
	unbound := func(s *v1alpha1.SignatureScheme, _ *Options) { s.Body = v1alpha1.BodyUnbound }
	body := func(state authz.BodyState, text string) func(*authz.Request) {
		return func(r *authz.Request) { r.Body = authz.Body{Bytes: []byte(text), State: state} }
	}
	for _, kind := range webhookKinds() {
		cases := map[string]refusal{
			"nothing":       {request: without(kind.headers...), reason: authz.ReasonNoCredential, text: "no signature fields"},
			"another body":  {request: body(authz.BodyWhole, "x"), reason: authz.ReasonBadSignature, text: "does not verify"},
			"body gone":     {request: body(authz.BodyNone, ""), reason: authz.ReasonBadSignature, text: "does not verify"},
			"body unknown":  {request: body(authz.BodyUnknown, ""), reason: authz.ReasonBadSignature, text: "does not verify"},
			"body cut":      {request: body(authz.BodyPartial, `{"order"`), reason: authz.ReasonBodyTooLarge, text: "only the beginning of the body"},
			"body withheld": {request: body(authz.BodyWithheld, ""), reason: authz.ReasonBodyUnavailable, text: "set with_request_body"},
			"body too large": {
				spec:   func(_ *v1alpha1.SignatureScheme, o *Options) { o.BodyLimit = 1 },
				reason: authz.ReasonBodyTooLarge, text: "larger than limits.body",
			},
			"unbound, another body": {spec: unbound, request: body(authz.BodyWhole, "x"), reason: authz.ReasonBadSignature, text: "does not verify"},
			"unbound, withheld":     {spec: unbound, request: body(authz.BodyWithheld, ""), reason: authz.ReasonBodyUnavailable, text: "set with_request_body"},
			"App without keys": {
				spec:   func(s *v1alpha1.SignatureScheme, _ *Options) { s.App = "nobody" },
				reason: authz.ReasonUnknownKey, text: "belongs to the scheme's app",
			},
			"App of another namespace": {
				spec:   func(s *v1alpha1.SignatureScheme, _ *Options) { s.App = "shop/hook" },
				reason: authz.ReasonUnknownKey, text: "belongs to the scheme's app",
			},
			"App not accepted": {spec: selector(map[string]string{"tier": "internal"}), reason: authz.ReasonAppNotAccepted, text: "no App that the scheme accepts"},
			"store down": {
				spec:   func(_ *v1alpha1.SignatureScheme, o *Options) { o.Stores = []keystore.Store{down{errDown}} },
				reason: authz.ReasonStoreUnavailable, text: "connection refused",
			},
		}
		for _, name := range kind.headers {
			cases["repeated "+name] = refusal{request: again(name), reason: authz.ReasonAmbiguousCredential, text: "occurs more than once"}
			long := func(r *authz.Request) { setHeader(r, name, header(r, name)+strings.Repeat(" ", maxFieldBytes)) }
			cases["long "+name] = refusal{request: long, reason: authz.ReasonMalformedCredential, text: "longer than 8 KiB"}
			if name != "stripe-signature" {
				cases["joined "+name] = refusal{request: joined(name), reason: authz.ReasonAmbiguousCredential, text: "occurs more than once"}
			}
		}
		t.Run(kind.name, func(t *testing.T) { kind.testRefused(t, cases) })
	}
}

// TestWebhookTimes accepts five minutes to either side, where there is a time.
func TestWebhookTimes(t *testing.T) {
	for _, kind := range webhookKinds() {
		for age, want := range map[time.Duration]string{
			-5*time.Minute - time.Second: "created in the future",
			-5 * time.Minute:             "",
			5 * time.Minute:              "",
			5*time.Minute + time.Second:  "older than maxAge",
		} {
			q := kind.request()
			q.Created = now.Add(-age)
			p, err := check(kind.scheme(t, kind.store(), nil), signed(t, q))
			if want == "" || kind.profile == v1alpha1.ProfileGitHub {
				if err != nil {
					t.Errorf("%s, %v old: %v", kind.name, age, err)
				}
				continue
			}
			wantRefused(t, p, err, authz.ReasonClockSkew, want)
		}
	}
}

// TestWebhookRotation tries every secret of the App, and of no other.
func TestWebhookRotation(t *testing.T) {
	for _, kind := range webhookKinds()[:4] {
		store := keys{}
		old := store.add("rfc", &keystore.SigningKey{ID: "hook", Secret: "the secret of last year"})
		store.add("rfc", &keystore.SigningKey{ID: "hook", Secret: "the secret of this year"})
		store.add("rfc", &keystore.SigningKey{ID: "other", Secret: "a secret of somebody else"})
		store.add("shop", &keystore.SigningKey{ID: "hook", Secret: "a secret of the same name"})
		for _, c := range []struct {
			secret  authz.Secret
			expired bool
			want    authz.Reason
		}{
			{"the secret of last year", false, authz.ReasonAuthenticated},
			{"the secret of this year", false, authz.ReasonAuthenticated},
			{"the secret of last year", true, authz.ReasonKeyExpired},
			{"the secret of this year", true, authz.ReasonAuthenticated},
			{"a secret of somebody else", false, authz.ReasonBadSignature},
			{"a secret of the same name", false, authz.ReasonBadSignature},
		} {
			old.ExpiresAt = time.Time{}
			if c.expired {
				old.ExpiresAt = now
			}
			q := kind.request()
			q.Key = c.secret
			_, err := check(kind.scheme(t, store, nil), signed(t, q))
			got := authz.ReasonAuthenticated
			if err != nil {
				got = authz.ReasonOf(err)
			}
			if got != c.want {
				t.Errorf("%s: %+v: got %v", kind.name, c, err)
			}
		}
	}
}

// TestWebhookLists reads several signatures in one field: one suffices, and there is a limit to what is tried.
func TestWebhookLists(t *testing.T) {
	stripe, standard := kindOf(v1alpha1.ProfileStripe), kindOf(v1alpha1.ProfileStandardWebhooks)
	wrong := strings.Repeat("0", 64)
	wrong64 := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, c := range map[string]struct {
		kind webhookKind
		edit func(count int) func(*authz.Request)
	}{
		"stripe, last": {stripe, func(n int) func(*authz.Request) {
			return replaceIn("stripe-signature", "v1=", strings.Repeat("v1="+wrong+",", n)+"v1=")
		}},
		"stripe, first": {stripe, func(n int) func(*authz.Request) {
			return func(r *authz.Request) {
				setHeader(r, "stripe-signature", header(r, "stripe-signature")+strings.Repeat(",v1="+wrong, n))
			}
		}},
		"standard-webhooks, last": {standard, func(n int) func(*authz.Request) {
			return replaceIn("webhook-signature", "v1,", strings.Repeat("v1,"+wrong64+" ", n)+"v1,")
		}},
		"standard-webhooks, first": {standard, func(n int) func(*authz.Request) {
			return func(r *authz.Request) {
				setHeader(r, "webhook-signature", header(r, "webhook-signature")+strings.Repeat(" v1,"+wrong64, n))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for count := range maxSignatures {
				r := signed(t, c.kind.request())
				c.edit(count)(r)
				if _, err := check(c.kind.scheme(t, c.kind.store(), nil), r); err != nil {
					t.Errorf("beside %d others: %v", count, err)
				}
			}
			r := signed(t, c.kind.request())
			c.edit(maxSignatures)(r)
			p, err := check(c.kind.scheme(t, c.kind.store(), nil), r)
			wantRefused(t, p, err, authz.ReasonMalformedCredential, "more than 10 signatures")
		})
	}
}

// TestWebhookVerifyAlone is sure of its answer without Extract.
func TestWebhookVerifyAlone(t *testing.T) {
	for _, kind := range webhookKinds() {
		r := &authz.Request{Method: "POST", Path: "/", Now: now}
		p, err := kind.scheme(t, kind.store(), nil).Verify(context.Background(), r, authz.Credential{})
		wantRefused(t, p, err, authz.ReasonMalformedCredential, "has no signature that counts")
	}
}
