package signature

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// The profiles whose credentials list what they sign.
var listings = []v1alpha1.SignatureProfile{v1alpha1.ProfileCavage, v1alpha1.ProfileKong, v1alpha1.ProfileAPISIX}

// listingKeys holds the keys of RFC 9421, of the draft and of the gateways' documentation.
func listingKeys(t testing.TB) keys {
	t.Helper()
	k := rfcKeys(t)
	block, _ := pem.Decode(testKey(t, "cavage-test.public.pem"))
	public, err := x509.ParsePKIXPublicKey(block.Bytes) // of 1024 bits, which no App can have
	if err != nil {
		t.Fatal(err)
	}
	k.add("rfc", &keystore.SigningKey{ID: "Test", PublicKey: public})
	k.add("rfc", &keystore.SigningKey{ID: "alice123", Secret: "secret"})
	k.add("rfc", &keystore.SigningKey{ID: "john-key", Secret: "john-secret-key"})
	return k
}

// every accepts all algorithms of the profile, SHA-1 too.
func every(p v1alpha1.SignatureProfile) func(*v1alpha1.SignatureScheme, *Options) {
	return func(s *v1alpha1.SignatureScheme, _ *Options) {
		s.Profile, s.Algorithms = p, nil
		known := map[v1alpha1.SignatureProfile][]*algorithm{
			v1alpha1.ProfileCavage: cavageAlgorithms, v1alpha1.ProfileKong: kongAlgorithms, v1alpha1.ProfileAPISIX: apisixAlgorithms,
		}
		for _, a := range known[p] {
			s.Algorithms = append(s.Algorithms, a.name)
		}
	}
}

// TestListingVectors verifies requests that others have signed, as their sources print them or as their own clients made
// them: the text that was signed, that the signature verifies, and what a scheme with default coverage answers.
func TestListingVectors(t *testing.T) {
	for _, profile := range listings {
		archives(t, string(profile), func(t *testing.T, file func(string) string) {
			s := newScheme(t, listingKeys(t), func(spec *v1alpha1.SignatureScheme, o *Options) {
				every(profile)(spec, o)
				spec.Replay = v1alpha1.ReplayAllow
			})
			r := readRequest(t, []byte(file("request")))
			line, _, _ := strings.Cut(file("request"), "\n")
			r.Protocol = line[strings.LastIndexByte(line, ' ')+1:]

			if base := file("base"); base != "" {
				w := newWork()
				defer w.release()
				if err := s.profile.parse(r, &w.claim); err != nil {
					t.Fatal(err)
				}
				r.Now = w.claim.created.Add(10 * time.Second)
				if _, err := s.prove(context.Background(), r, w); err != nil {
					t.Errorf("prove: %v", err)
				}
				if profile != v1alpha1.ProfileAPISIX { // whose last line ends like the others
					base = strings.TrimSuffix(base, "\n")
				}
				if diff := cmp.Diff(base, string(w.base)); diff != "" {
					t.Errorf("text that was signed (-want +got):\n%s", diff)
				}
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
