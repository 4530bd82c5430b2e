package signature

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestWebhookReplayed accepts what was signed once, however the second copy is dressed up.
func TestWebhookReplayed(t *testing.T) {
	stripe, github, standard := kindOf(v1alpha1.ProfileStripe), kindOf(v1alpha1.ProfileGitHub), kindOf(v1alpha1.ProfileStandardWebhooks)
	type copied struct {
		kind webhookKind
		edit func(*authz.Request)
	}
	cases := map[string]copied{
		"stripe, v0 added":         {stripe, replaceIn("stripe-signature", "v1=", "v0=00,v1=")},
		"stripe, signature twice":  {stripe, replaceIn("stripe-signature", "v1=", "v1="+strings.Repeat("0", 64)+",v1=")},
		"github, another delivery": {github, setTo("x-github-delivery", "another")},
		"github, a day later":      {github, func(r *authz.Request) { r.Now = now.Add(24 * time.Hour) }},
		"standard, svix's names": {standard, func(r *authz.Request) {
			for i, h := range r.Headers {
				r.Headers[i].Name = strings.Replace(h.Name, "webhook-", "svix-", 1)
			}
		}},
	}
	for _, kind := range webhookKinds() {
		cases[kind.name+", as it was"] = copied{kind, func(*authz.Request) {}}
		cases[kind.name+", elsewhere"] = copied{kind, func(r *authz.Request) { r.Path = "/other" }}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, r := c.kind.scheme(t, c.kind.store(), nil), signed(t, c.kind.request())
			if _, err := check(s, r); err != nil {
				t.Fatal(err)
			}
			c.edit(r)
			p, err := check(s, r)
			wantRefused(t, p, err, authz.ReasonReplayed, "has been accepted before")
		})
	}
}

// TestWebhookOtherProfile presents what was signed in one profile, once it has been accepted, as the body of another.
func TestWebhookOtherProfile(t *testing.T) {
	slack, github := kindOf(v1alpha1.ProfileSlack), kindOf(v1alpha1.ProfileGitHub)
	store, memory := slack.store(), newMemory()
	share := func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = memory }
	out, err := Sign(slack.request())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check(slack.scheme(t, store, share), signed(t, slack.request())); err != nil {
		t.Fatal(err)
	}
	q := github.request()
	q.Body, q.Key = []byte(out.Base), slack.request().Key
	p, err := check(github.scheme(t, store, share), signed(t, q))
	wantRefused(t, p, err, authz.ReasonReplayed, "has been accepted before")
}

// TestWebhookRetried accepts a message again that its sender has signed again.
func TestWebhookRetried(t *testing.T) {
	for _, kind := range webhookKinds() {
		if kind.profile == v1alpha1.ProfileGitHub {
			continue // which signs no time
		}
		s, q := kind.scheme(t, kind.store(), nil), kind.request()
		for range 2 {
			if _, err := check(s, signed(t, q)); err != nil {
				t.Errorf("%s: %v", kind.name, err)
			}
			q.Created = q.Created.Add(5 * time.Second)
		}
	}
}

// TestWebhookRemembered remembers GitHub's signatures, which have no time, from when they come.
func TestWebhookRemembered(t *testing.T) {
	for _, kind := range webhookKinds() {
		var spy until
		s := kind.scheme(t, kind.store(), func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = &spy })
		if _, err := check(s, signed(t, kind.request())); err != nil {
			t.Fatal(err)
		}
		want := created.Add(10*time.Minute + time.Second)
		if kind.profile == v1alpha1.ProfileGitHub {
			want = now.Add(24*time.Hour + time.Second)
		}
		if !time.Time(spy).Equal(want) {
			t.Errorf("%s: until %v, want %v", kind.name, time.Time(spy), want)
		}
	}
}
