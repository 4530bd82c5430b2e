package apikey

import (
	"errors"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/declared"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestPlaces has keys in two places: one in memory and one that can fail.
func TestPlaces(t *testing.T) {
	down := errors.New("connection refused")
	stored := []declared.App{{
		App: keystore.App{Namespace: "shop", Name: "stored", Labels: map[string]string{"tier": "partner"}},
		Credentials: []declared.Credential{
			credential("one", "p1", "stored key", declared.Credential{}),
			credential("expired", "p1", "stored and expired", declared.Credential{ExpiresAt: now}),
			credential("off", "", off, declared.Credential{}), // declared too, and disabled there
			credential("copied", "", foreign, declared.Credential{}),
		},
	}}
	for _, tc := range []struct {
		name    string
		key     string
		fail    map[string]error // of the second place
		want    authz.Reason
		lookups int // in the second place
	}{
		{"in the first", good, nil, authz.ReasonUndecided, 0},
		{"in the first, by another digest", peppered, nil, authz.ReasonUndecided, 0},
		{"in the first, the second down", good, map[string]error{"": down, "p1": down}, authz.ReasonUndecided, 0},
		{"refused by the first, good in the second", off, nil, authz.ReasonKeyDisabled, 0},
		{"refused by the first, the second down", expired, map[string]error{"": down, "p1": down}, authz.ReasonKeyExpired, 0},
		{"in the second", "stored key", nil, authz.ReasonUndecided, 1},
		{"refused by the second", "stored and expired", nil, authz.ReasonKeyExpired, 2},
		{"in the second, that is down", "stored key", map[string]error{"": down, "p1": down}, authz.ReasonStoreUnavailable, 2},
		{"of other Apps in the first, good in the second", foreign, nil, authz.ReasonUndecided, 2},
		{"of other Apps in the first, the second down", foreign, map[string]error{"": down, "p1": down}, authz.ReasonStoreUnavailable, 2},
		{"in neither", "no key", nil, authz.ReasonUnknownKey, 2},
		{"in neither, as far as can be told", "no key", map[string]error{"p1": down}, authz.ReasonStoreUnavailable, 2},
	} {
		first, second := &counting{Store: index(t, apps())}, &counting{Store: index(t, stored), fail: tc.fail}
		scheme := v1alpha1.AuthScheme{Spec: v1alpha1.AuthSchemeSpec{APIKey: &v1alpha1.APIKeyScheme{Checksum: v1alpha1.ChecksumIgnored}}}
		scheme.Namespace = "shop"
		scheme.SetDefaults()
		a, err := New(scheme.Spec.APIKey, selector(scheme.Spec.APIKey), Place{first, hasher}, Place{second, hasher})
		if err != nil {
			t.Fatal(err)
		}
		p, err := authenticate(a, request(tc.key))
		good := tc.want == authz.ReasonUndecided
		if (err == nil) != good || (p != nil) != good || !good && authz.ReasonOf(err) != tc.want || len(second.lookups) != tc.lookups {
			t.Errorf("%s: %+v, %v after %d look-ups; want %v after %d", tc.name, p, err, len(second.lookups), tc.want, tc.lookups)
		}
	}
}

// TestAnUnavailablePlaceDoesNotHideAnother asks a place that is down before one that knows the key.
func TestAnUnavailablePlaceDoesNotHideAnother(t *testing.T) {
	d := index(t, apps())
	down := &counting{Store: d, fail: map[string]error{"": errors.New("down")}}
	scheme := v1alpha1.AuthScheme{Spec: v1alpha1.AuthSchemeSpec{APIKey: &v1alpha1.APIKeyScheme{}}}
	scheme.Namespace = "shop"
	scheme.SetDefaults()
	a, err := New(scheme.Spec.APIKey, selector(scheme.Spec.APIKey), Place{down, hasher}, Place{d, hasher})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(a, request(good)); err != nil {
		t.Error(err)
	}
	if _, err := authenticate(a, request(unknown)); authz.ReasonOf(err) != authz.ReasonStoreUnavailable {
		t.Error(err)
	}
}
