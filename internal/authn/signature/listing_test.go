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

// newListingScheme makes a scheme of the profile; edit may change it first.
func newListingScheme(t testing.TB, p v1alpha1.SignatureProfile, edit func(*v1alpha1.SignatureScheme, *Options)) *scheme {
	t.Helper()
	return newScheme(t, listingKeys(t), func(spec *v1alpha1.SignatureScheme, o *Options) {
		spec.Profile = p
		if edit != nil {
			edit(spec, o)
		}
	})
}

// sha1Too accepts all algorithms of the profile.
func sha1Too(spec *v1alpha1.SignatureScheme, _ *Options) {
	known := map[v1alpha1.SignatureProfile][]*algorithm{
		v1alpha1.ProfileCavage: cavageAlgorithms, v1alpha1.ProfileKong: kongAlgorithms, v1alpha1.ProfileAPISIX: apisixAlgorithms,
	}
	for _, a := range known[spec.Profile] {
		spec.Algorithms = append(spec.Algorithms, a.name)
	}
}

// listingOrder is the request of order, to be signed in the profile.
func listingOrder(t testing.TB, p v1alpha1.SignatureProfile) SignRequest {
	t.Helper()
	q := order(t)
	q.Profile = p
	return q
}

func added(name, value string) func(*authz.Request) {
	return func(r *authz.Request) { r.Headers = append(r.Headers, authz.Header{Name: name, Value: value}) }
}

// moved renames a field.
func moved(from, to string) func(*authz.Request) {
	return func(r *authz.Request) { setHeader(r, to, header(r, from)); removeHeader(r, from) }
}

func with(name, value string) func(*SignRequest) {
	return func(q *SignRequest) { q.Headers = append(q.Headers, authz.Header{Name: name, Value: value}) }
}

func signedBy(f ...func(*SignRequest)) func(*SignRequest) {
	return func(q *SignRequest) {
		for _, f := range f {
			f(q)
		}
	}
}

// listingCase is a request that is good but for one thing. Without a reason it is good.
type listingCase struct {
	spec    func(*v1alpha1.SignatureScheme, *Options)
	sign    func(*SignRequest)
	request func(*authz.Request)
	reason  authz.Reason
	text    string
}

func testListing(t *testing.T, p v1alpha1.SignatureProfile, cases map[string]listingCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			q := listingOrder(t, p)
			if c.sign != nil {
				c.sign(&q)
			}
			r := signed(t, q)
			if c.request != nil {
				c.request(r)
			}
			who, err := check(newListingScheme(t, p, c.spec), r)
			if c.reason != authz.ReasonUndecided {
				wantRefused(t, who, err, c.reason, c.text)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := "app:rfc/" + q.KeyID; who.Subject != want {
				t.Errorf("subject %q, want %q", who.Subject, want)
			}
		})
	}
}

// TestListingVectors verifies requests that others have signed, as their sources print them or as their own clients made
// them: the text that was signed, that the signature verifies, and what a scheme with default coverage answers.
func TestListingVectors(t *testing.T) {
	for _, profile := range listings {
		archives(t, string(profile), func(t *testing.T, file func(string) string) {
			s := newListingScheme(t, profile, func(spec *v1alpha1.SignatureScheme, o *Options) {
				sha1Too(spec, o)
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
