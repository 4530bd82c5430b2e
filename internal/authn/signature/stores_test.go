package signature

import (
	"errors"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestStores has keys in two stores: one in memory and one that can fail. Both have keys with the id "both".
func TestStores(t *testing.T) {
	const (
		firstSecret, secondSecret = "first-0123456789", "second-0123456789"
		bothFirst, bothSecond     = "both-first-0123456789", "both-second-0123456789"
		offSecret                 = "off-0123456789012"
	)
	first, second := keys{}, keys{}
	first.add("rfc", &keystore.SigningKey{ID: "first", Secret: firstSecret})
	first.add("rfc", &keystore.SigningKey{ID: "both", Secret: bothFirst})
	first.add("rfc", &keystore.SigningKey{ID: "off", Secret: offSecret}).Disabled = true
	second.add("rfc", &keystore.SigningKey{ID: "second", Secret: secondSecret})
	second.add("rfc", &keystore.SigningKey{ID: "both", Secret: bothSecond})
	second.add("rfc", &keystore.SigningKey{ID: "off", Secret: offSecret})
	for name, tc := range map[string]struct {
		id     string
		secret authz.Secret
		up     authz.Reason // ReasonUndecided: it is good
		down   authz.Reason // the same, while the second store is down
	}{
		"in the first":             {"first", firstSecret, authz.ReasonUndecided, authz.ReasonUndecided},
		"in the second":            {"second", secondSecret, authz.ReasonUndecided, authz.ReasonStoreUnavailable},
		"in both, of the first":    {"both", bothFirst, authz.ReasonUndecided, authz.ReasonUndecided},
		"in both, of the second":   {"both", bothSecond, authz.ReasonUndecided, authz.ReasonStoreUnavailable},
		"in both, of neither":      {"both", "neither-0123456789", authz.ReasonBadSignature, authz.ReasonStoreUnavailable},
		"in neither":               {"nobody", firstSecret, authz.ReasonUnknownKey, authz.ReasonStoreUnavailable},
		"refused by the first":     {"off", offSecret, authz.ReasonKeyDisabled, authz.ReasonKeyDisabled},
		"wrong, and in the first":  {"first", secondSecret, authz.ReasonBadSignature, authz.ReasonStoreUnavailable},
		"wrong, and in the second": {"second", firstSecret, authz.ReasonBadSignature, authz.ReasonStoreUnavailable},
	} {
		for _, now := range []struct {
			store keystore.Store
			want  authz.Reason
		}{{second, tc.up}, {down{errors.New("refused")}, tc.down}} {
			s := newScheme(t, first, func(_ *v1alpha1.SignatureScheme, o *Options) { o.Stores = append(o.Stores, now.store) })
			q := order(t)
			q.KeyID, q.Key = tc.id, tc.secret
			p, err := check(s, signed(t, q))
			good := now.want == authz.ReasonUndecided
			if (err == nil) != good || (p != nil) != good || !good && authz.ReasonOf(err) != now.want {
				t.Errorf("%s: %+v, %v; want %v", name, p, err, now.want)
			}
		}
	}
}

// TestDummyOfSeveralStores tries a key that nobody has once, after the last store, unless another was tried.
func TestDummyOfSeveralStores(t *testing.T) {
	s := newScheme(t, keys{}, nil)
	w := newWork()
	defer w.release()
	if err := s.candidates(nil, w, errUnknown, false); !errors.Is(err, errUnknown) || len(w.keys) != 0 {
		t.Errorf("a store before the last: %v, tries %v", err, w.keys)
	}
	if err := s.candidates(nil, w, errWrong, true); !errors.Is(err, errWrong) || len(w.keys) != 0 {
		t.Errorf("the last, after one was tried: %v, tries %v", err, w.keys)
	}
	if err := s.candidates(nil, w, errApp, true); !errors.Is(err, errApp) || len(w.keys) != 1 || !w.keys[0].dummy {
		t.Errorf("the last, after none was: %v, tries %v", err, w.keys)
	}
}
