package signature

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// keyPair is a key of each algorithm: what signs, and what verifies.
type keyPair struct {
	algorithm string
	private   any
	signing   *keystore.SigningKey
}

func keyPairs(t testing.TB) []keyPair {
	t.Helper()
	p256, err256 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err384 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	public, private, errEd := ed25519.GenerateKey(rand.Reader)
	rsaKey, errRSA := rsa.GenerateKey(rand.Reader, 2048)
	for _, err := range []error{err256, err384, errEd, errRSA} {
		if err != nil {
			t.Fatal(err)
		}
	}
	pairs := []keyPair{
		{"hmac-sha256", sharedSecret(t), &keystore.SigningKey{Secret: sharedSecret(t)}},
		{"ed25519", private, &keystore.SigningKey{PublicKey: public}},
		{"ecdsa-p256-sha256", p256, &keystore.SigningKey{PublicKey: &p256.PublicKey}},
		{"ecdsa-p384-sha384", p384, &keystore.SigningKey{PublicKey: &p384.PublicKey}},
		{"rsa-pss-sha512", rsaKey, &keystore.SigningKey{PublicKey: &rsaKey.PublicKey}},
		{"rsa-v1_5-sha256", rsaKey, &keystore.SigningKey{PublicKey: &rsaKey.PublicKey}},
	}
	for i := range pairs {
		pairs[i].signing.ID, pairs[i].signing.Algorithm = pairs[i].algorithm, pairs[i].algorithm
	}
	return pairs
}

// always is a Replay without memory, so that one request can be checked over and over.
type always struct{}

func (always) First(context.Context, [32]byte, time.Time, time.Time) (bool, error) { return true, nil }

func benchmark(b *testing.B, store keystore.Store, r *authz.Request) {
	s := newScheme(b, store, func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = always{} })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := check(s, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheck is Extract and Verify of a request without a body that covers what schemes require by default.
func BenchmarkCheck(b *testing.B) {
	for _, pair := range keyPairs(b) {
		store := keys{}
		store.add("rfc", pair.signing)
		q := SignRequest{Method: "GET", URL: "https://example.com/orders?page=1", KeyID: pair.algorithm, Key: pair.private, Algorithm: pair.algorithm, Created: created}
		r := signed(b, q)
		b.Run(pair.algorithm, func(b *testing.B) { benchmark(b, store, r) })
	}
}

// BenchmarkCheckBody has a body of 4 KiB to digest.
func BenchmarkCheckBody(b *testing.B) {
	q := order(b)
	q.Body = make([]byte, 4<<10)
	benchmark(b, rfcKeys(b), signed(b, q))
}

func BenchmarkExtract(b *testing.B) {
	s, r := newScheme(b, keys{}, nil), signed(b, order(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Extract(r); err != nil {
			b.Fatal(err)
		}
	}
}
