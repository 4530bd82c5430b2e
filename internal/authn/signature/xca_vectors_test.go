package signature

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// newXCaScheme makes a scheme of profile x-ca; edit may change it first.
func newXCaScheme(t testing.TB, store keystore.Store, edit func(*v1alpha1.SignatureScheme, *Options)) *scheme {
	t.Helper()
	return newScheme(t, store, func(spec *v1alpha1.SignatureScheme, o *Options) {
		spec.Profile = v1alpha1.ProfileXCa
		if edit != nil {
			edit(spec, o)
		}
	})
}

// TestXCaVectors verifies requests that the vendor, another gateway or its clients have signed: the base is theirs, and
// a scheme that accepts every algorithm answers as written.
func TestXCaVectors(t *testing.T) {
	archives(t, "x-ca", func(t *testing.T, file func(string) string) {
		r := readRequest(t, []byte(file("request")))
		ms, err := strconv.ParseInt(strings.TrimSpace(header(r, xCaTimestamp)), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		r.Now = time.UnixMilli(ms).Add(10 * time.Second)
		store := keys{}
		if secret := strings.TrimSpace(file("secret")); secret != "" {
			store.add("rfc", &keystore.SigningKey{ID: strings.TrimSpace(header(r, xCaKey)), Secret: authz.Secret(secret)})
		}
		s := newXCaScheme(t, store, func(spec *v1alpha1.SignatureScheme, _ *Options) {
			spec.Replay = v1alpha1.ReplayAllow
			spec.Algorithms = []string{"hmac-sha256", "hmac-sha1"}
		})

		w := newWork()
		defer w.release()
		if err := s.profile.parse(r, &w.claim); err != nil {
			t.Fatal(err)
		}
		if _, err := s.prove(context.Background(), r, w); (err == nil) != (len(store) > 0) {
			t.Errorf("prove: %v", err)
		}
		if diff := cmp.Diff(strings.TrimSuffix(file("base"), "\n"), string(w.base)); diff != "" {
			t.Errorf("base (-want +got):\n%s", diff)
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
