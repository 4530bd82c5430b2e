package signature

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestWebhookSign writes what the vectors in testdata hold.
func TestWebhookSign(t *testing.T) {
	private := seededKey(t, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	const contact = `{"type":"contact.created","timestamp":"2022-11-03T20:26:10.344522Z","data":{"id":"1f81eb52-5198-4599-803e-771906343485"}}`
	for _, c := range []struct {
		q    SignRequest
		want *Signed
	}{
		{
			SignRequest{Profile: v1alpha1.ProfileGitHub, Body: []byte("Hello, World!"), Key: authz.Secret("It's a Secret to Everybody")},
			&Signed{Base: "Hello, World!", Headers: []authz.Header{
				{Name: "X-Hub-Signature-256", Value: "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
			}},
		},
		{
			SignRequest{Profile: v1alpha1.ProfileSlack, Created: created, Key: authz.Secret("8f742231b10e8888abcd99yyyzzz85a5")},
			&Signed{Base: "v0:1618884473:", Headers: []authz.Header{
				{Name: "X-Slack-Request-Timestamp", Value: "1618884473"},
				{Name: "X-Slack-Signature", Value: "v0=456e65d0ac8a88ec5da3854253226a391ae8d46f2b9dce78d0a00df965c6c494"},
			}},
		},
		{
			SignRequest{
				Profile: v1alpha1.ProfileStripe, Created: time.Unix(1492774577, 0), Key: authz.Secret("whsec_test_secret_of_this_year"),
				Body: []byte("{\n  \"id\": \"evt_1NG8Du2eZvKYlo2CUI79vXWy\",\n  \"object\": \"event\",\n  \"type\": \"setup_intent.created\"\n}"),
			},
			&Signed{
				Base: "1492774577.{\n  \"id\": \"evt_1NG8Du2eZvKYlo2CUI79vXWy\",\n  \"object\": \"event\",\n  \"type\": \"setup_intent.created\"\n}",
				Headers: []authz.Header{
					{Name: "Stripe-Signature", Value: "t=1492774577,v1=f1dadeafdabfae2344c7358375965eefafd9d6cb6fe45c6196ff64bdaa9ca73c"},
				},
			},
		},
		{
			SignRequest{
				Profile: v1alpha1.ProfileStandardWebhooks, Created: time.Unix(1614265330, 0), Nonce: "msg_p5jXN8AQM9LWM0D4loKWxJek",
				Key: hookSecret, Body: []byte(`{"test": 2432232314}`),
			},
			&Signed{Base: `msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}`, Headers: []authz.Header{
				{Name: "webhook-id", Value: "msg_p5jXN8AQM9LWM0D4loKWxJek"},
				{Name: "webhook-timestamp", Value: "1614265330"},
				{Name: "webhook-signature", Value: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
			}},
		},
		{
			SignRequest{
				Profile: v1alpha1.ProfileStandardWebhooks, Created: time.Unix(1674087231, 0), Nonce: "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
				Key: private, Body: []byte(contact),
			},
			&Signed{Base: "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W.1674087231." + contact, Headers: []authz.Header{
				{Name: "webhook-id", Value: "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"},
				{Name: "webhook-timestamp", Value: "1674087231"},
				{
					Name:  "webhook-signature",
					Value: "v1a,pbpYBMlty2hExn4zt0UTGb6BaP2Vq5AfyzjB9GGV3x/wCJKd8UjOCf8Qhaji6TKY9C5eNMnlF0GG4udaO6B7Ag==",
				},
			}},
		},
	} {
		c.q.Method, c.q.URL = "POST", "https://example.com/hooks"
		c.want.URL = c.q.URL
		got, err := Sign(c.q)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.q.Profile, diff)
		}
	}
}

func TestWebhookSignErrors(t *testing.T) {
	for _, kind := range webhookKinds() {
		for _, c := range []struct {
			edit func(*SignRequest)
			text string
		}{
			{func(q *SignRequest) { q.URL = "/hooks" }, "use an absolute http or https URL"},
			{func(q *SignRequest) { q.Key = authz.Secret("") }, "the key fits no algorithm of the profile"},
			{func(q *SignRequest) { q.Key = "a string" }, "the key fits no algorithm of the profile"},
			{func(q *SignRequest) { q.Algorithm = "hmac-sha1" }, `the key does not fit algorithm "hmac-sha1"`},
			{func(q *SignRequest) { q.Cover = []string{"@method"} }, "what the profile signs is fixed"},
			{func(q *SignRequest) { q.Expires = now }, "what the profile signs is fixed"},
		} {
			q := kind.request()
			c.edit(&q)
			if got, err := Sign(q); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: got %v, %v, want …%s…", kind.name, got, err, c.text)
			}
		}
		q := kind.request()
		q.Created = time.Time{}
		if _, err := Sign(q); (err == nil) != (kind.profile == v1alpha1.ProfileGitHub) {
			t.Errorf("%s without a time: %v", kind.name, err)
		}
	}
	standard := kindOf(v1alpha1.ProfileStandardWebhooks)
	for _, id := range []string{"msg.1", "a b", "a,b", "é"} {
		q := standard.request()
		q.Nonce = id
		if _, err := Sign(q); err == nil || !strings.Contains(err.Error(), "the profile uses it as webhook-id") {
			t.Errorf("id %q: %v", id, err)
		}
	}
}

// TestWebhookSignID makes up an id that no other message has.
func TestWebhookSignID(t *testing.T) {
	kind := kindOf(v1alpha1.ProfileStandardWebhooks)
	s, q := kind.scheme(t, kind.store(), nil), kind.request()
	q.Nonce = ""
	for range 2 {
		if _, err := check(s, signed(t, q)); err != nil {
			t.Error(err)
		}
	}
}
