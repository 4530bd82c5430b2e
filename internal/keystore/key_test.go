package keystore

import (
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

func newApp(scopes ...string) *App {
	return &App{
		Namespace: "shop", Name: "acme", Labels: map[string]string{"tier": "partner"},
		Attributes: map[string]string{"tenant": "t1"}, Scopes: authz.NewScopes(scopes...),
	}
}

func TestNewKey(t *testing.T) {
	for _, tc := range []struct {
		app, names []string
		want       string
	}{
		{[]string{"b", "a"}, nil, "a b"},
		{[]string{"b", "a"}, []string{}, ""},
		{[]string{"b", "a"}, []string{"a"}, "a"},
		{[]string{"b", "a"}, []string{"c", "b"}, "b"},
		{[]string{"b", "a"}, []string{"a", "b"}, "a b"},
		{nil, []string{"a"}, ""},
		{nil, nil, ""},
	} {
		k := NewKey(newApp(tc.app...), "2026-q4", tc.names, Key{Digest: Digest{Sum: [32]byte{1}}})
		if k.Scopes.String() != tc.want || k.Principal.Scopes.String() != tc.want {
			t.Errorf("app %q, credential %q: scopes %q and %q; want %q", tc.app, tc.names, k.Scopes, k.Principal.Scopes, tc.want)
		}
	}
	k := NewKey(newApp(), "2026-q4", nil, Key{Digest: Digest{Sum: [32]byte{1}}})
	p := k.Principal
	if k.ID != "shop/acme/2026-q4" || p.KeyID != k.ID || p.Subject != "app:shop/acme" || p.App != "shop/acme" || k.Digest.Sum[0] != 1 ||
		p.Attributes["tenant"] != "t1" || p.Labels["tier"] != "partner" || p.Claims != nil {
		t.Errorf("%+v, %+v", k, p)
	}
}

func TestPersonalAccessTokenStandsForItsUser(t *testing.T) {
	p := NewKey(newApp("a"), "laptop", nil, Key{Digest: Digest{Sum: [32]byte{1}}, Subject: "alice@example.com"}).Principal
	if p.Subject != "alice@example.com" || p.App != "shop/acme" || p.KeyID != "shop/acme/laptop" || !p.Scopes.Has("a") {
		t.Errorf("%+v", p)
	}
}

func TestCheck(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name string
		key  Key
		app  App
		want authz.Reason // ReasonUndecided: good
	}{
		{"no bounds", Key{}, App{}, 0},
		{"within", Key{NotBefore: now.Add(-1), ExpiresAt: now.Add(1)}, App{}, 0},
		{"from its first moment", Key{NotBefore: now}, App{}, 0},
		{"a moment early", Key{NotBefore: now.Add(1)}, App{}, authz.ReasonKeyNotYetValid},
		{"at its end", Key{ExpiresAt: now}, App{}, authz.ReasonKeyExpired},
		{"in another time zone", Key{ExpiresAt: now.In(time.FixedZone("", 3600))}, App{}, authz.ReasonKeyExpired},
		{"after its end", Key{ExpiresAt: now.Add(-time.Hour)}, App{}, authz.ReasonKeyExpired},
		{"disabled", Key{Disabled: true}, App{}, authz.ReasonKeyDisabled},
		{"revoked and disabled", Key{Revoked: true, Disabled: true}, App{}, authz.ReasonKeyRevoked},
		{"app disabled", Key{}, App{Disabled: true}, authz.ReasonAppNotAccepted},
		{"disabled and expired", Key{Disabled: true, ExpiresAt: now}, App{}, authz.ReasonKeyDisabled},
	} {
		tc.key.App = &tc.app
		if err := tc.key.Check(time.Time{}); err == nil {
			t.Errorf("%s: good at no time", tc.name)
		}
		err := tc.key.Check(now)
		if tc.want == authz.ReasonUndecided {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if err == nil || authz.ReasonOf(err) != tc.want || tc.want.Class() != authz.ClassUnauthenticated {
			t.Errorf("%s: %v; want %v", tc.name, err, tc.want)
		}
	}
}

func TestAppSelector(t *testing.T) {
	app := newApp()
	for _, tc := range []struct {
		name string
		s    AppSelector
		want bool
	}{
		{"zero", AppSelector{}, false},
		{"own namespace", NewAppSelector(nil, nil, "shop"), true},
		{"another own namespace", NewAppSelector(nil, nil, "other"), false},
		{"named namespace", NewAppSelector([]string{"a", "shop"}, nil, "other"), true},
		{"own namespace not named", NewAppSelector([]string{"other"}, nil, "shop"), false},
		{"label", NewAppSelector(nil, map[string]string{"tier": "partner"}, "shop"), true},
		{"another label value", NewAppSelector(nil, map[string]string{"tier": "gold"}, "shop"), false},
		{"a label it lacks", NewAppSelector(nil, map[string]string{"tier": "partner", "x": ""}, "shop"), false},
		{"label in another namespace", NewAppSelector([]string{"other"}, map[string]string{"tier": "partner"}, "shop"), false},
	} {
		if got := tc.s.Accepts(app); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestSizeGrowsWithContent(t *testing.T) {
	small := NewKey(&App{Namespace: "a", Name: "b"}, "c", nil, Key{})
	large := NewKey(newApp("a", "b"), "c", nil, Key{Signing: &SigningKey{Secret: "0123456789abcdef"}})
	if small.Size() < 400 || large.Size() <= small.Size() {
		t.Errorf("%d and %d bytes", small.Size(), large.Size())
	}
}
