package apikey

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/cached"
	"github.com/postern-auth/postern/internal/keystore/declared"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// FuzzAuthenticate offers keys that are not, in every place and shape.
func FuzzAuthenticate(f *testing.F) {
	for _, key := range []string{good, peppered, unknown, badSum, imported, expired, "", ",", "a,b", "\x00", good + " ", " " + good} {
		f.Add(key, "api_key="+key)
	}
	spec := imports
	spec.In = []v1alpha1.Location{{Header: "X-API-Key"}, {Header: "Authorization", Prefix: "ApiKey "}, {Query: "api_key"}, {Cookie: "api_key"}}
	strict := spec
	strict.Checksum = v1alpha1.ChecksumRequired
	f.Fuzz(func(t *testing.T, header, query string) {
		for _, spec := range []v1alpha1.APIKeyScheme{spec, strict} {
			a, _ := open(t, spec)
			r := request(header)
			r.Query = query
			c, err := a.Extract(r)
			if err != nil {
				if class := authz.ReasonOf(err).Class(); class != authz.ClassBadRequest && class != authz.ClassUnauthenticated {
					t.Fatalf("%q, %q: %v", header, query, err)
				}
				continue
			}
			p, err := a.Verify(context.Background(), r, c)
			key := c.Value.Reveal()
			isGood := key == good || key == peppered || key == imported && spec.Checksum == v1alpha1.ChecksumIgnored
			if isGood != (err == nil) || (p != nil) != (err == nil) {
				t.Fatalf("%q: %+v, %v", key, p, err)
			}
			if err != nil && authz.ReasonOf(err).Class() != authz.ClassUnauthenticated {
				t.Fatalf("%q: %v", key, err)
			}
		}
	})
}

func TestAuthenticateAllocations(t *testing.T) {
	a, keys := many(t, 100, nil)
	r := request(keys[7])
	if n := testing.AllocsPerRun(100, func() {
		if _, err := authenticate(a, r); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("%v allocations; want 2, for the deadline", n)
	}
}

// many makes an authenticator over n declared keys, behind what wrap puts before them, and some of the keys.
func many(t testing.TB, n int, wrap func(keystore.Store) keystore.Store) (authz.Authenticator, []string) {
	t.Helper()
	apps := make([]declared.App, n)
	var some []string
	for i := range apps {
		c := declared.Credential{Name: "one", ExpiresAt: now.Add(time.Hour)}
		c.Digest.Sum = sha256.Sum256(fmt.Appendf(nil, "key %d", i))
		if i%(max(n/1000, 1)) == 0 {
			key, err := keystore.Mint(keystore.DefaultPrefix)
			if err != nil {
				t.Fatal(err)
			}
			some = append(some, key.Reveal())
			c.Digest.Sum = sha256.Sum256([]byte(key.Reveal()))
		}
		apps[i] = declared.App{App: keystore.App{Namespace: "shop", Name: fmt.Sprintf("app-%d", i)}, Credentials: []declared.Credential{c}}
	}
	d := index(t, apps)
	var s keystore.Store = d
	if wrap != nil {
		s = wrap(s)
	}
	a, err := New(&v1alpha1.APIKeyScheme{In: []v1alpha1.Location{{Header: "X-API-Key"}}}, ofShop, Place{s, keystore.NewHasher().Only(d.Peppers()...)})
	if err != nil {
		t.Fatal(err)
	}
	return a, some
}

func BenchmarkExtractAndVerify(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprintf("declared/%d", n), func(b *testing.B) {
			a, keys := many(b, n, nil)
			benchmark(b, a, keys)
		})
	}
	b.Run("cached/1000", func(b *testing.B) {
		var s *cached.Store
		a, keys := many(b, 1_000, func(next keystore.Store) keystore.Store {
			s = cached.New(next, cached.Options{TTL: time.Hour})
			return s
		})
		defer s.Close()
		benchmark(b, a, keys)
	})
	b.Run("bad checksum", func(b *testing.B) {
		a, _ := many(b, 1_000, nil)
		r := request(badSum)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := authenticate(a, r); err == nil {
				b.Fatal("accepted")
			}
		}
	})
}

func benchmark(b *testing.B, a authz.Authenticator, keys []string) {
	b.Helper()
	r := request("")
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i = (i + 1) % len(keys)
		r.Headers[0].Value = keys[i]
		if _, err := authenticate(a, r); err != nil {
			b.Fatal(err)
		}
	}
}
