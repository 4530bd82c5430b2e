package declared

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func TestConformance(t *testing.T) {
	keystoretest.Test(t, func(t *testing.T, keys []*keystore.Key) keystore.Store {
		byApp := map[*keystore.App]int{}
		var apps []App
		for _, k := range keys {
			i, ok := byApp[k.App]
			if !ok {
				i = len(apps)
				byApp[k.App] = i
				apps = append(apps, App{App: *k.App})
			}
			apps[i].Credentials = append(apps[i].Credentials, Credential{
				Name: k.ID[strings.LastIndexByte(k.ID, '/')+1:], Digest: k.Digest, Signing: k.Signing, Disabled: k.Disabled,
				Scopes: append([]string{}, k.Scopes.List()...), NotBefore: k.NotBefore, ExpiresAt: k.ExpiresAt,
			})
		}
		s, errs := store(apps)
		for _, err := range errs {
			t.Error(err)
		}
		return s
	})
}

// store does all the steps but parsing.
func store(apps []App) (*Store, []*v1alpha1.Error) {
	var all []*Keys
	var errs []*v1alpha1.Error
	for i := range apps {
		keys, bad := NewKeys(&apps[i])
		all, errs = append(all, keys), append(errs, bad...)
	}
	s, bad := New(all)
	return s, append(errs, bad...)
}

func app(namespace, name string, credentials ...Credential) App {
	return App{
		App:         keystore.App{Namespace: namespace, Name: name},
		Credentials: credentials,
		Origin:      v1alpha1.Origin{File: name + ".yaml", Line: 1},
	}
}

func apiKey(name, key string) Credential {
	return Credential{Name: name, Digest: keystoretest.Digest(key)}
}

func signer(name, id string) Credential {
	return Credential{Name: name, Signing: &keystore.SigningKey{ID: id, Secret: "0123456789abcdef"}}
}

func TestClashes(t *testing.T) {
	s, errs := store([]App{
		app("shop", "a", apiKey("one", "k1"), signer("sign", "s1"), apiKey("one", "k2"), Credential{Name: "empty"}),
		app("shop", "b", apiKey("x", "k1"), signer("y", "s1"), apiKey("z", "k3")),
		app("other", "a", apiKey("one", "k4"), signer("sign", "s1")),
		app("shop", "a", apiKey("late", "k5")),
	})
	var got []string
	for _, err := range errs {
		got = append(got, err.Error())
	}
	if diff := cmp.Diff([]string{
		`a.yaml:1: App shop/a: spec.credentials[2].name: the name "one" is taken; the first credential of that name counts; give each credential its own name`,
		`a.yaml:1: App shop/a: spec.credentials[3]: the credential has neither an API key's digest nor a signing key; give it one`,
		`b.yaml:1: App shop/b: spec.credentials[0].apiKey.digest: the digest is that of credential shop/a/one; the first counts; make a new key for one of them`,
		`b.yaml:1: App shop/b: spec.credentials[1].signing.keyId: the signing id "s1" is that of credential shop/a/sign; the first counts; give each signing key of a namespace its own id`,
		`a.yaml:1: App shop/a: metadata.name: the App is declared twice; the first counts; remove one of them`,
	}, got); diff != "" {
		t.Error(diff)
	}
	for key, want := range map[string]string{"k1": "shop/a/one", "k2": "", "k3": "shop/b/z", "k4": "other/a/one", "k5": ""} {
		k, err := s.ByDigest(context.Background(), keystoretest.Digest(key))
		if want == "" && !errors.Is(err, keystore.ErrNotFound) || want != "" && (err != nil || k.ID != want) {
			t.Errorf("%s is %v, %v; want %q", key, k, err, want)
		}
	}
	signers, err := s.BySigningID(context.Background(), "s1")
	if err != nil || len(signers) != 2 || signers[0].ID != "shop/a/sign" || signers[1].ID != "other/a/sign" {
		t.Errorf("%v, %v", signers, err)
	}
}

// TestADigestInTwoNamespaces: whoever copies a digest takes nothing from schemes that do not select him.
func TestADigestInTwoNamespaces(t *testing.T) {
	s, errs := store([]App{
		app("aaa", "copy", apiKey("one", "k1")),
		app("shop", "acme", apiKey("one", "k1"), apiKey("two", "k1"), apiKey("three", "k2")),
	})
	var got []string
	for _, err := range errs {
		got = append(got, err.Error())
	}
	if diff := cmp.Diff([]string{
		`acme.yaml:1: App shop/acme: spec.credentials[0].apiKey.digest: the digest is that of credential aaa/copy/one of another namespace, which counts for schemes that select both; make a new key for one of them`,
		`acme.yaml:1: App shop/acme: spec.credentials[1].apiKey.digest: the digest is that of credential shop/acme/one; the first counts; make a new key for one of them`,
	}, got); diff != "" {
		t.Error(diff)
	}
	for want, namespaces := range map[string][]string{"aaa/copy/one": {"aaa"}, "shop/acme/one": {"shop"}} {
		for _, more := range []string{"", "other"} {
			view := s.For(keystore.NewAppSelector(append(namespaces, more), nil, ""))
			if k, err := view.ByDigest(context.Background(), keystoretest.Digest("k1")); err != nil || k.ID != want {
				t.Errorf("of %v: %v, %v", namespaces, k, err)
			}
			if k, err := view.ByDigest(context.Background(), keystoretest.Digest("k2")); err != nil || k.ID != "shop/acme/three" {
				t.Errorf("of %v: %v, %v", namespaces, k, err)
			}
		}
	}
	for name, view := range map[string]keystore.Store{
		"itself": s, "of both": s.For(keystore.NewAppSelector([]string{"shop", "aaa"}, nil, "")), "of neither": s.For(keystore.AppSelector{}),
	} {
		if k, err := view.ByDigest(context.Background(), keystoretest.Digest("k1")); err != nil || k.ID != "aaa/copy/one" {
			t.Errorf("%s: %v, %v", name, k, err)
		}
		if _, err := view.ByDigest(context.Background(), keystoretest.Digest("k3")); !errors.Is(err, keystore.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPeppers(t *testing.T) {
	peppered := apiKey("b", "k2")
	peppered.Digest.Pepper = "p1"
	for _, tc := range []struct {
		credentials []Credential
		want        []string
	}{
		{nil, nil},
		{[]Credential{signer("a", "s1")}, nil},
		{[]Credential{apiKey("a", "k1")}, []string{""}},
		{[]Credential{peppered, apiKey("a", "k1")}, []string{"", "p1"}},
		{[]Credential{peppered}, []string{"p1"}},
	} {
		s, errs := store([]App{app("shop", "a", tc.credentials...)})
		if diff := cmp.Diff(tc.want, s.Peppers()); diff != "" || errs != nil {
			t.Error(diff, errs)
		}
	}
}

// many makes n Apps with one API key each.
func many(n int) []App {
	apps := make([]App, n)
	scopes, attributes := authz.NewScopes("orders:read"), map[string]string{"tenant": "t1"}
	for i := range apps {
		apps[i] = App{
			App: keystore.App{Namespace: "shop", Name: fmt.Sprintf("app-%d", i), Scopes: scopes, Attributes: attributes},
			Credentials: []Credential{{
				Name: "2026-q4", Digest: keystore.Digest{Sum: sha256.Sum256(fmt.Appendf(nil, "key %d", i))}, ExpiresAt: time.Unix(2e9, 0),
			}},
		}
	}
	return apps
}

// TestManyKeys looks every one of them up, and measures what they take.
func TestManyKeys(t *testing.T) {
	const n = 100_000
	apps := many(n)
	before := heap()
	start := time.Now()
	s, errs := store(apps)
	took := time.Since(start)
	perKey := (heap() - before) / n
	t.Logf("%d keys in %v, %d bytes each", n, took, perKey)
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	if perKey > 768 {
		t.Errorf("a key takes %d bytes", perKey)
	}
	for i := range apps {
		k, err := s.ByDigest(context.Background(), apps[i].Credentials[0].Digest)
		if err != nil || k.App.Name != apps[i].Name || k.Principal.App != "shop/"+apps[i].Name {
			t.Fatalf("%d: %v, %v", i, k, err)
		}
		if k, err := s.ByDigest(context.Background(), keystore.Digest{Sum: sha256.Sum256(fmt.Appendf(nil, "other %d", i))}); !errors.Is(err, keystore.ErrNotFound) {
			t.Fatalf("%d: %v, %v", i, k, err)
		}
	}
	runtime.KeepAlive(apps)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			apps := many(n)
			b.ReportAllocs()
			for b.Loop() {
				store(apps)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
		})
	}
}

func BenchmarkByDigest(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			apps := many(n)
			s, _ := store(apps)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				i = (i + 7919) % n
				if _, err := s.ByDigest(context.Background(), apps[i].Credentials[0].Digest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
