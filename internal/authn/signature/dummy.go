package signature

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"sync"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
)

// dummySecret exists nowhere else.
var dummySecret = authz.Secret(rand.Text())

// dummyKeys are keys that nobody signs with, of every kind. They are tried when no real one can be, so that an unknown
// key id costs what a wrong signature does.
var dummyKeys = sync.OnceValue(func() []*keystore.SigningKey {
	keys := []*keystore.SigningKey{{Secret: dummySecret}}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("signature: no randomness: %v", err))
	}
	keys = append(keys, &keystore.SigningKey{PublicKey: public})
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		private, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(fmt.Sprintf("signature: no randomness: %v", err))
		}
		keys = append(keys, &keystore.SigningKey{PublicKey: &private.PublicKey})
	}
	// Nothing is known of a random modulus, its factors least of all, and it is there at once.
	n := make([]byte, 2048/8)
	_, _ = rand.Read(n) // it never fails
	n[0], n[len(n)-1] = n[0]|0x80, n[len(n)-1]|1
	return append(keys, &keystore.SigningKey{PublicKey: &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}})
})

// newDummies makes a candidate for each algorithm, in their order.
func newDummies(accepted []*algorithm) []candidate {
	dummies := make([]candidate, 0, len(accepted))
	for _, a := range accepted {
		for _, k := range dummyKeys() {
			if a.fits(k) {
				dummies = append(dummies, candidate{&keystore.Key{Signing: k}, a, true})
				break
			}
		}
	}
	return dummies
}

// dummyFor returns the one to try for a signature that names the algorithm. Of a signature that names none nobody can
// tell which was meant: then it is the first that the scheme accepts.
func (s *scheme) dummyFor(claimed string) candidate {
	for _, d := range s.dummies {
		if claimed == d.algorithm.name {
			return d
		}
	}
	return s.dummies[0]
}
