package signature

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestSign shows the whole of what signing gives.
func TestSign(t *testing.T) {
	q := order(t)
	q.Label, q.Nonce, q.Tag, q.Expires, q.Algorithm = "client", "n1", "orders", created.Add(time.Minute), "hmac-sha256"
	got, err := Sign(q)
	if err != nil {
		t.Fatal(err)
	}
	params := `("@method" "@authority" "@path" "@query" "content-digest");created=1618884473;keyid="test-shared-secret";` +
		`alg="hmac-sha256";expires=1618884533;nonce="n1";tag="orders"`
	want := &Signed{
		URL: q.URL,
		Headers: []authz.Header{
			{Name: "Content-Digest", Value: rightDigest},
			{Name: "Signature-Input", Value: "client=" + params},
			{Name: "Signature", Value: "client=" + byteSequence(sumHMAC(sha256.New, sharedSecret(t), []byte(got.Base)))},
		},
		Base: strings.Join([]string{
			`"@method": POST`, `"@authority": example.com`, `"@path": /orders`, `"@query": ?page=1`,
			`"content-digest": ` + rightDigest, `"@signature-params": ` + params,
		}, "\n"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("signed (-want +got):\n%s", diff)
	}
}

func TestSignErrors(t *testing.T) {
	for _, c := range []struct {
		edit func(*SignRequest)
		text string
	}{
		{func(q *SignRequest) { q.URL = "/orders" }, `url "/orders": use an absolute http or https URL`},
		{func(q *SignRequest) { q.URL = "https://me:pw@example.com/" }, "without user"},
		{func(q *SignRequest) { q.URL = "https://[" }, "missing ']'"},
		{func(q *SignRequest) { q.Key = authz.Secret("") }, "the key fits no algorithm of the profile"},
		{func(q *SignRequest) { q.Key = "a string" }, "the key fits no algorithm of the profile"},
		{func(q *SignRequest) { q.Algorithm = "ed25519" }, `the key does not fit algorithm "ed25519"`},
		{func(q *SignRequest) { q.Algorithm = "hmac-md5" }, `the key does not fit algorithm "hmac-md5"`},
		{func(q *SignRequest) { q.Label = "Sig" }, "the label in lower case"},
		{func(q *SignRequest) { q.KeyID = "clé" }, "keyid, nonce and tag must be ASCII"},
		{func(q *SignRequest) { q.Cover = []string{`a"b`} }, `cover: "a\"b"`},
		{func(q *SignRequest) { q.Cover = []string{"@nothing"} }, "cover: a covered component's name"},
		{func(q *SignRequest) { q.Cover = []string{"@path", "@path"} }, "cover: a component is covered twice"},
		{func(q *SignRequest) { q.Cover = []string{"x-gone"} }, `"x-gone": it is covered, but not in the request`},
		{func(q *SignRequest) { q.Cover = make([]string, 65) }, "more than 64 components"},
	} {
		q := order(t)
		c.edit(&q)
		if got, err := Sign(q); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("got %v, %v, want …%s…", got, err, c.text)
		}
	}
}

func TestParsePrivateKey(t *testing.T) {
	for name, want := range map[string]string{
		"test-key-ed25519": "ed25519", "test-key-ecc-p256": "ecdsa-p256-sha256", "test-key-rsa": "rsa-pss-sha512",
	} {
		key, err := ParsePrivateKey(testKey(t, name+".private.pem"))
		if err != nil {
			t.Fatal(err)
		}
		q := order(t)
		q.KeyID, q.Key, q.Algorithm = name, key, want
		if _, err := check(newScheme(t, rfcKeys(t), nil), signed(t, q)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	block := func(kind string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	exchange, err := x509.MarshalPKCS8PrivateKey(x25519)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"secret":                         "the private key is not PEM",
		block("PUBLIC KEY", nil):         `a PEM block "PUBLIC KEY" is no private key that signs; use PRIVATE KEY`,
		block("RSA PRIVATE KEY", nil):    "the private key cannot be read",
		block("PRIVATE KEY", []byte{48}): "the private key cannot be read",
		block("PRIVATE KEY", exchange):   "a *ecdh.PrivateKey does not sign requests",
	} {
		if _, err := ParsePrivateKey([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want …%s…", err, want)
		}
	}
}

// TestUnknownKeyCostsTheSame tries one secret for an unknown id, as for a wrong signature, and never believes it.
func TestUnknownKeyCostsTheSame(t *testing.T) {
	store := rfcKeys(t)
	store.add("shop", &keystore.SigningKey{ID: "elsewhere", Secret: sharedSecret(t)})
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	store.add("rfc", &keystore.SigningKey{ID: "fits-nothing", PublicKey: public, Algorithm: "hmac-sha256"})
	s := newScheme(t, store, nil)
	for id, want := range map[string]error{
		"nobody": errUnknown, "elsewhere": errApp, "fits-nothing": errAlgorithm, "test-shared-secret": errWrong,
	} {
		w := newWork()
		if got := s.candidates(store[id], w, errUnknown, true); !errors.Is(got, want) {
			t.Errorf("%s: refused with %v, want %v", id, got, want)
		}
		if len(w.keys) != 1 || w.keys[0].algorithm.name != "hmac-sha256" {
			t.Errorf("%s: tries %v", id, w.keys)
		}
		if w.keys[0].dummy == errors.Is(want, errWrong) {
			t.Errorf("%s: tries %v", id, w.keys[0].key)
		}
		w.release()
	}
	q := order(t)
	q.KeyID, q.Key = "nobody", dummySecret
	p, err := check(s, signed(t, q))
	wantRefused(t, p, err, authz.ReasonUnknownKey, "no signing key")
}

// TestUnknownKeyOfEachKind tries the algorithm that the signature names, or the first that the scheme accepts.
func TestUnknownKeyOfEachKind(t *testing.T) {
	for _, a := range rfc9421Algorithms {
		s := newScheme(t, keys{}, nil)
		w := newWork()
		w.claim.algorithm = a.name
		if err := s.candidates(nil, w, errUnknown, true); !errors.Is(err, errUnknown) || len(w.keys) != 1 || w.keys[0].algorithm != a || !w.keys[0].dummy {
			t.Errorf("%s named: %v, tries %v", a.name, err, w.keys)
		}
		w.release()
		s = newScheme(t, keys{}, func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Algorithms = []string{a.name} })
		w = newWork()
		if err := s.candidates(nil, w, errUnknown, true); !errors.Is(err, errUnknown) || len(w.keys) != 1 || w.keys[0].algorithm != a || !w.keys[0].dummy {
			t.Errorf("%s alone accepted: %v, tries %v", a.name, err, w.keys)
		}
		w.release()
	}
}

// TestTimesOfTheSpec follows clockSkew and maxAge where they are set.
func TestTimesOfTheSpec(t *testing.T) {
	s := newScheme(t, rfcKeys(t), func(spec *v1alpha1.SignatureScheme, _ *Options) {
		spec.ClockSkew, spec.MaxAge = seconds(0), seconds(20)
	})
	for age, want := range map[time.Duration]authz.Reason{
		-1 * time.Second: authz.ReasonClockSkew,
		0:                authz.ReasonAuthenticated,
		20 * time.Second: authz.ReasonAuthenticated,
		21 * time.Second: authz.ReasonClockSkew,
	} {
		q := order(t)
		q.Created = now.Add(-age)
		_, err := check(s, signed(t, q))
		got := authz.ReasonAuthenticated
		if err != nil {
			got = authz.ReasonOf(err)
		}
		if got != want {
			t.Errorf("%v old: %v, want %v", age, got, want)
		}
	}
}
