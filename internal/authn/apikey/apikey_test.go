package apikey

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/declared"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var hasher = keystore.NewHasher(keystore.Pepper{ID: "p1", Secret: "0123456789abcdef"})

// Keys as clients hold them; minted ones are those of known random numbers.
const (
	good     = "pk_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1AmNxv"
	peppered = "acme-live_7cMxemzhJjkW31yzTx5H07wJF2A2uBEOEec26ubYMsJ1sBYIT"
	unknown  = "pk_00000000000000000000000000000000000000000001zqVSB"
	badSum   = "pk_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1AmNxw"
	imported = "partner key: 1"
	expired  = "imported-expired"
	early    = "imported-early"
	off      = "imported-off"
	ofOff    = "imported-of-a-disabled-app"
	foreign  = "imported-of-another-namespace"
	untiered = "imported-of-another-tier"
)

func credential(name, pepper, key string, c declared.Credential) declared.Credential {
	d, err := hasher.Digest(pepper, authz.Secret(key))
	if err != nil {
		panic(err)
	}
	c.Name, c.Digest = name, d
	return c
}

func apps() []declared.App {
	partner := map[string]string{"tier": "partner"}
	none := declared.Credential{}
	return []declared.App{
		{
			App: keystore.App{
				Namespace: "shop", Name: "acme", Labels: partner, Attributes: map[string]string{"tenant": "t1"},
				Scopes: authz.NewScopes("orders:read", "orders:write"),
			},
			Credentials: []declared.Credential{
				credential("current", "", good, declared.Credential{Scopes: []string{"orders:read", "admin"}, ExpiresAt: now.Add(1)}),
				credential("peppered", "p1", peppered, none),
				credential("imported", "", imported, none),
				credential("expired", "", expired, declared.Credential{ExpiresAt: now}),
				credential("early", "p1", early, declared.Credential{NotBefore: now.Add(1)}),
				credential("off", "", off, declared.Credential{Disabled: true}),
			},
		},
		{
			App:         keystore.App{Namespace: "shop", Name: "off", Labels: partner, Disabled: true},
			Credentials: []declared.Credential{credential("one", "", ofOff, none)},
		},
		{
			App:         keystore.App{Namespace: "other", Name: "acme", Labels: partner},
			Credentials: []declared.Credential{credential("one", "", foreign, none)},
		},
		{
			App:         keystore.App{Namespace: "shop", Name: "free", Labels: map[string]string{"tier": "free"}},
			Credentials: []declared.Credential{credential("one", "", untiered, none)},
		},
	}
}

// counting counts what is looked up, and fails for the digests that it is told to.
type counting struct {
	keystore.Store

	lookups []string
	fail    map[string]error // by pepper
}

func (s *counting) ByDigest(ctx context.Context, d keystore.Digest) (*keystore.Key, error) {
	s.lookups = append(s.lookups, d.Pepper)
	if err := s.fail[d.Pepper]; err != nil {
		return nil, err
	}
	return s.Store.ByDigest(ctx, d)
}

func index(t testing.TB, apps []declared.App) *declared.Store {
	t.Helper()
	all := make([]*declared.Keys, len(apps))
	for i := range apps {
		var errs []*v1alpha1.Error
		if all[i], errs = declared.NewKeys(&apps[i]); errs != nil {
			t.Fatal(errs)
		}
	}
	s, errs := declared.New(all)
	if errs != nil {
		t.Fatal(errs)
	}
	return s
}

func open(t testing.TB, spec v1alpha1.APIKeyScheme) (authz.Authenticator, *counting) {
	t.Helper()
	d := index(t, apps())
	scheme := v1alpha1.AuthScheme{Spec: v1alpha1.AuthSchemeSpec{APIKey: &spec}}
	scheme.Namespace = "shop"
	scheme.SetDefaults()
	s := &counting{Store: d}
	a, err := New(scheme.Spec.APIKey, selector(scheme.Spec.APIKey), Place{s, hasher})
	if err != nil {
		t.Fatal(err)
	}
	return a, s
}

// ofShop selects the Apps that a scheme in the namespace shop does by default.
var ofShop = keystore.NewAppSelector(nil, nil, "shop")

func selector(spec *v1alpha1.APIKeyScheme) keystore.AppSelector {
	return keystore.NewAppSelector(spec.Apps.Namespaces, spec.Apps.MatchLabels, "shop")
}

func request(key string) *authz.Request {
	return &authz.Request{Now: now, Deadline: time.Now().Add(time.Hour), Headers: []authz.Header{{Name: "x-api-key", Value: key}}}
}

func authenticate(a authz.Authenticator, r *authz.Request) (*authz.Principal, error) {
	c, err := a.Extract(r)
	if err != nil {
		return nil, err
	}
	return a.Verify(context.Background(), r, c)
}

// imports accepts keys of any shape from Apps of tier partner.
var imports = v1alpha1.APIKeyScheme{
	Checksum: v1alpha1.ChecksumIgnored, Apps: v1alpha1.AppSelector{MatchLabels: map[string]string{"tier": "partner"}},
}

func TestGoodKeys(t *testing.T) {
	for _, tc := range []struct {
		key, id, scopes string
		spec            v1alpha1.APIKeyScheme
	}{
		{good, "current", "orders:read", v1alpha1.APIKeyScheme{}},
		{peppered, "peppered", "orders:read orders:write", v1alpha1.APIKeyScheme{}},
		{good, "current", "orders:read", imports},
		{imported, "imported", "orders:read orders:write", imports},
	} {
		a, _ := open(t, tc.spec)
		p, err := authenticate(a, request(tc.key))
		if err != nil {
			t.Errorf("%s: %v", tc.id, err)
			continue
		}
		if diff := cmp.Diff(&authz.Principal{
			Subject: "app:shop/acme", App: "shop/acme", KeyID: "shop/acme/" + tc.id, Scopes: authz.NewScopes(strings.Fields(tc.scopes)...),
			Attributes: map[string]string{"tenant": "t1"}, Labels: map[string]string{"tier": "partner"},
		}, p, cmp.Comparer(func(a, b authz.Scopes) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", tc.id, diff)
		}
	}
}

func TestBadKeys(t *testing.T) {
	for _, tc := range []struct {
		name, key string
		spec      v1alpha1.APIKeyScheme
		want      authz.Reason
		lookups   int
	}{
		{"checksum", badSum, v1alpha1.APIKeyScheme{}, authz.ReasonMalformedCredential, 0},
		{"imported where minted is required", imported, v1alpha1.APIKeyScheme{}, authz.ReasonMalformedCredential, 0},
		{"minted and unknown", unknown, v1alpha1.APIKeyScheme{}, authz.ReasonUnknownKey, 2},
		{"checksum where it does not count", badSum, imports, authz.ReasonUnknownKey, 2},
		{"expired", expired, imports, authz.ReasonKeyExpired, 2},
		{"early", early, imports, authz.ReasonKeyNotYetValid, 2},
		{"disabled", off, imports, authz.ReasonKeyDisabled, 2},
		{"of a disabled app", ofOff, imports, authz.ReasonAppNotAccepted, 2},
		{"of another namespace", foreign, imports, authz.ReasonAppNotAccepted, 2},
		{"of another tier", untiered, imports, authz.ReasonAppNotAccepted, 2},
		{"control byte", "imp\torted", imports, authz.ReasonMalformedCredential, 0},
		{"NUL", good + "\x00", imports, authz.ReasonMalformedCredential, 0},
		{"non-ASCII", "schlüssel", imports, authz.ReasonMalformedCredential, 0},
		{"not UTF-8", "key\xff", imports, authz.ReasonMalformedCredential, 0},
		{"too long", strings.Repeat("k", maxKey+1), imports, authz.ReasonMalformedCredential, 0},
		{"as long as can be", strings.Repeat("k", maxKey), imports, authz.ReasonUnknownKey, 2},
		{"in another case", strings.ToUpper(imported), imports, authz.ReasonUnknownKey, 2},
		{"empty", "", imports, authz.ReasonMalformedCredential, 0},
		{"joined", good + "," + unknown, imports, authz.ReasonAmbiguousCredential, 0},
	} {
		a, s := open(t, tc.spec)
		p, err := authenticate(a, request(tc.key))
		if p != nil || authz.ReasonOf(err) != tc.want || len(s.lookups) != tc.lookups {
			t.Errorf("%s: %+v, %v after %d look-ups; want %v after %d", tc.name, p, err, len(s.lookups), tc.want, tc.lookups)
		}
		if err != nil && tc.key != "" && strings.Contains(err.Error(), tc.key) {
			t.Errorf("%s: the error repeats the key: %v", tc.name, err)
		}
	}
}

func TestNothingPresented(t *testing.T) {
	a, _ := open(t, v1alpha1.APIKeyScheme{})
	if _, err := a.Extract(&authz.Request{}); !errors.Is(err, authz.ErrNoCredential) {
		t.Error(err)
	}
}

func TestStoreFailures(t *testing.T) {
	down := errors.New("connection refused")
	full := authz.Fail(authz.ReasonOverloaded, nil)
	for _, tc := range []struct {
		name string
		key  string
		fail map[string]error
		want authz.Reason // ReasonUndecided: it is good
	}{
		{"all down", good, map[string]error{"": down, "p1": down}, authz.ReasonStoreUnavailable},
		{"found after the one that fails", good, map[string]error{"p1": down}, authz.ReasonUndecided},
		{"found before the one that fails", peppered, map[string]error{"": down}, authz.ReasonUndecided},
		{"unknown, and one fails", unknown, map[string]error{"p1": down}, authz.ReasonStoreUnavailable},
		{"refused, and one fails", early, map[string]error{"": down}, authz.ReasonStoreUnavailable},
		{"unknown, and the first fails", unknown, map[string]error{"": down}, authz.ReasonStoreUnavailable},
		{"overloaded", unknown, map[string]error{"": full}, authz.ReasonOverloaded},
		{"overloaded, with detail", unknown, map[string]error{"": fmt.Errorf("read: %w", full)}, authz.ReasonOverloaded},
		{"out of time", unknown, map[string]error{"": context.DeadlineExceeded}, authz.ReasonStoreUnavailable},
		{"an error that says no", unknown, map[string]error{"": authz.Fail(authz.ReasonUnknownKey, nil)}, authz.ReasonStoreUnavailable},
		{"an error that says yes", unknown, map[string]error{"": authz.Fail(authz.ReasonAuthenticated, nil)}, authz.ReasonStoreUnavailable},
	} {
		a, s := open(t, imports)
		s.fail = tc.fail
		p, err := authenticate(a, request(tc.key))
		if tc.want == authz.ReasonUndecided {
			if p == nil || err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if p != nil || authz.ReasonOf(err) != tc.want || authz.ReasonOf(err).Class() != authz.ClassUnavailable {
			t.Errorf("%s: %+v, %v; want %v", tc.name, p, err, tc.want)
		}
	}
}

// wrong is a store that answers every question with one key.
type wrong struct {
	keystore.Store

	key *keystore.Key
}

func (w wrong) ByDigest(context.Context, keystore.Digest) (*keystore.Key, error) { return w.key, nil }

func TestAKeyOfAnotherDigestDoesNotCount(t *testing.T) {
	app := &keystore.App{Namespace: "shop", Name: "acme"}
	d, err := hasher.Digest("", good)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(&v1alpha1.APIKeyScheme{In: []v1alpha1.Location{{Header: "X-API-Key"}}}, ofShop,
		Place{wrong{key: keystore.NewKey(app, "one", nil, keystore.Key{Digest: d})}, keystore.NewHasher()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(a, request(good)); err != nil {
		t.Error(err)
	}
	if p, err := authenticate(a, request(unknown)); p != nil || authz.ReasonOf(err) != authz.ReasonUnknownKey {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestTheDeadlineBoundsTheStore(t *testing.T) {
	a, err := New(&v1alpha1.APIKeyScheme{In: []v1alpha1.Location{{Header: "X-API-Key"}}}, ofShop, Place{hung{}, hasher})
	if err != nil {
		t.Fatal(err)
	}
	r := request(good)
	r.Deadline = time.Now().Add(10 * time.Millisecond)
	if p, err := authenticate(a, r); p != nil || authz.ReasonOf(err) != authz.ReasonStoreUnavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", p, err)
	}
}

type hung struct{ keystore.Store }

func (hung) ByDigest(ctx context.Context, _ keystore.Digest) (*keystore.Key, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestStripAndForward(t *testing.T) {
	for _, forward := range []bool{false, true} {
		a, _ := open(t, v1alpha1.APIKeyScheme{Forward: forward, In: []v1alpha1.Location{{Header: "X-Key"}, {Query: "key"}}})
		r := &authz.Request{Now: now, Query: "a=b&key=" + good}
		c, err := a.Extract(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Verify(context.Background(), r, c); err != nil {
			t.Fatal(err)
		}
		var m authz.Mutation
		c.Strip(r, &m)
		if stripped := len(m.RemoveParams) == 1; stripped == forward {
			t.Errorf("forward %v: %+v", forward, m)
		}
	}
}

func TestChallenge(t *testing.T) {
	a, _ := open(t, v1alpha1.APIKeyScheme{})
	if got := a.Challenge(`shop "1"`).String(); got != `ApiKey realm="shop \"1\""` {
		t.Error(got)
	}
}

func TestNewRefuses(t *testing.T) {
	for n, want := range map[int]string{
		0:                      "spec.apiKey.in: names 0 places; name 1 to 16",
		authz.MaxLocations + 1: "spec.apiKey.in: names 17 places; name 1 to 16",
	} {
		if _, err := New(&v1alpha1.APIKeyScheme{In: make([]v1alpha1.Location, n)}, ofShop); err == nil || err.Error() != want {
			t.Error(err)
		}
	}
}
