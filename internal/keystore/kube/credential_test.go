package kube

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

const text = "the-text-of-a-key"

var (
	plain  = keystore.Digest{Sum: sha256.Sum256([]byte(text))}
	hasher = keystore.NewHasher()
)

func secret(annotations map[string]string, data map[string]string) *v1alpha1.Secret {
	return &v1alpha1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "acme-2026",
			Labels:      map[string]string{LabelCredential: CredentialAPIKey, LabelApp: "acme"},
			Annotations: annotations,
		},
		StringData: data,
	}
}

func TestFromSecret(t *testing.T) {
	base := Credential{Namespace: "shop", Name: "acme-2026", App: "acme", Digest: plain}
	with := func(f func(*Credential)) Credential { c := base; f(&c); return c }
	for name, test := range map[string]struct {
		annotations, data map[string]string
		want              Credential
	}{
		"digest":       {nil, map[string]string{"digest": plain.String()}, base},
		"text":         {nil, map[string]string{"key": text}, base},
		"text in line": {nil, map[string]string{"key": text + "\n"}, base},
		"something else beside it": {map[string]string{"example.com/disabled": "true"},
			map[string]string{"digest": plain.String(), "note": "of May"}, base},
		"scopes": {map[string]string{annotationScopes: "orders:read, billing,"}, map[string]string{"key": text},
			with(func(c *Credential) { c.Scopes = []string{"orders:read", "billing"} })},
		"by itself": {nil, map[string]string{"key": text}, with(func(c *Credential) { c.App, c.Scopes = "", []string{} })},
		"no scopes": {map[string]string{annotationScopes: ""}, map[string]string{"key": text},
			with(func(c *Credential) { c.Scopes = []string{} })},
		"times": {map[string]string{annotationNotBefore: "2026-10-01T00:00:00Z", annotationExpiresAt: "2027-01-31T01:00:00+01:00"},
			map[string]string{"key": text}, with(func(c *Credential) {
				c.NotBefore = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
				c.ExpiresAt = time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
			})},
		"disabled": {map[string]string{annotationDisabled: "true"}, map[string]string{"key": text},
			with(func(c *Credential) { c.Disabled = true })},
		"enabled": {map[string]string{annotationDisabled: "false"}, map[string]string{"key": text}, base},
	} {
		t.Run(name, func(t *testing.T) {
			s := secret(test.annotations, test.data)
			if test.want.App == "" {
				delete(s.Labels, LabelApp)
			}
			test.want.Labels = s.Labels
			got, errs := FromSecret(s, v1alpha1.Origin{}, hasher)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreUnexported(v1alpha1.Origin{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFromSecretErrors(t *testing.T) {
	good := map[string]string{"key": text}
	const remedy = "; store a digest as `postern keys generate` prints it under digest, or the text under key"
	for name, test := range map[string]struct {
		annotations, data map[string]string
		want              string
	}{
		"neither": {nil, nil, "data: has neither digest nor key" + remedy},
		"both":    {nil, map[string]string{"key": text, "digest": plain.String()}, "data: digest and key are both there; remove key"},
		"empty":   {nil, map[string]string{"key": "\n"}, "data.key: is empty" + remedy},
		"the key as digest": {nil, map[string]string{"digest": text},
			"data.digest: is not a digest; print one with `postern keys generate`; if this is the key itself, replace it"},
		"unknown pepper": {nil, map[string]string{"digest": "hmac-sha256:p9:" + fmt.Sprintf("%x", plain.Sum)},
			`data.digest: no pepper has the id "p9"; add it to the pepper file, or make a new digest`},
		"scope": {map[string]string{annotationScopes: "a b"}, good,
			`metadata.annotations["postern.dev/scopes"]: number 1 is not a scope; separate scopes by commas`},
		"time": {map[string]string{annotationExpiresAt: "tomorrow"}, good,
			`metadata.annotations["postern.dev/expires-at"]: is not a time; write it like 2027-01-31T00:00:00Z (RFC 3339)`},
		"ends before it begins": {map[string]string{annotationNotBefore: "2027-01-01T00:00:00Z", annotationExpiresAt: "2027-01-01T00:00:00Z"}, good,
			`metadata.annotations["postern.dev/expires-at"]: is not after postern.dev/not-before; let it expire later, or delete the Secret`},
		"neither true nor false": {map[string]string{annotationDisabled: "yes"}, good,
			`metadata.annotations["postern.dev/disabled"]: is neither true nor false; write "true" or "false"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs := FromSecret(secret(test.annotations, test.data), v1alpha1.Origin{}, hasher)
			if want := "Secret shop/acme-2026: " + test.want; errs.Error() != want {
				t.Errorf("\n got %v\nwant %s", errs, want)
			}
			if strings.Contains(errs.Error(), text) {
				t.Errorf("the error shows the key: %v", errs)
			}
		})
	}
}

// TestRevoke: an API key is good after a later version of its Secret as long as both versions say so, for what both say,
// and only if the later is an API key still, of the same App, and not another key.
func TestRevoke(t *testing.T) {
	other := keystore.Digest{Sum: sha256.Sum256([]byte("another"))}
	at := func(hour int) time.Time { return time.Date(2026, 10, 1, hour, 0, 0, 0, time.UTC) }
	instants := rapid.SampledFrom([]time.Time{{}, at(1), at(2), at(3), at(4)})
	credentials := rapid.Custom(func(t *rapid.T) Credential {
		return Credential{
			Namespace: "shop", Name: "acme-2026", App: rapid.SampledFrom([]string{"", "acme"}).Draw(t, "app"),
			Labels:   map[string]string{LabelCredential: rapid.SampledFrom([]string{CredentialAPIKey, CredentialAPIKey, "signing"}).Draw(t, "label")},
			Digest:   rapid.SampledFrom([]keystore.Digest{{}, plain, other}).Draw(t, "digest"),
			Disabled: rapid.Bool().Draw(t, "disabled"), NotBefore: instants.Draw(t, "notBefore"), ExpiresAt: instants.Draw(t, "expiresAt"),
			Scopes: rapid.SampledFrom([][]string{nil, {}, {"read"}, {"write"}, {"read", "write"}}).Draw(t, "scopes"),
		}
	})
	grants := func(c *Credential, scope string) bool { return c.Scopes == nil || slices.Contains(c.Scopes, scope) }
	good := func(c *Credential, now time.Time) bool {
		k := keystore.Key{App: &keystore.App{}, Disabled: c.Disabled, NotBefore: c.NotBefore, ExpiresAt: c.ExpiresAt}
		return k.Check(now) == nil
	}
	rapid.Check(t, func(t *rapid.T) {
		first, later := credentials.Draw(t, "first"), credentials.Draw(t, "later")
		first.Labels, first.Digest = map[string]string{LabelCredential: CredentialAPIKey}, plain
		left, ok := first.Revoke(&later)
		if want := IsAPIKey(later.Labels) && later.App == first.App && later.Digest != other; ok != want {
			t.Fatalf("something is left: %v, want %v", ok, want)
		}
		for hour := 1; ok && hour <= 5; hour++ {
			if got, want := good(&left, at(hour)), good(&first, at(hour)) && good(&later, at(hour)); got != want {
				t.Errorf("good at %d: %v, want %v", hour, got, want)
			}
		}
		for _, scope := range []string{"read", "write"} {
			if got, want := grants(&left, scope), grants(&first, scope) && grants(&later, scope); ok && got != want {
				t.Errorf("it grants %s: %v, want %v", scope, got, want)
			}
		}
		if ok && (left.Digest != plain || left.App != first.App) {
			t.Errorf("it is another key: %+v", left)
		}
	})
}

// TestTrim: nothing but a digest is kept, whatever the Secret holds, and trimming twice changes nothing.
func TestTrim(t *testing.T) {
	peppered := keystore.NewHasher(keystore.Pepper{ID: "new", Secret: "0123456789abcdef"}, keystore.Pepper{ID: "old", Secret: "fedcba9876543210"})
	underPepper, err := peppered.Digest("new", text)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		hasher *keystore.Hasher
		data   map[string]string
		want   map[string]string
	}{
		"text":               {hasher, map[string]string{"key": text, "other": text}, map[string]string{"digest": plain.String()}},
		"text and a pepper":  {peppered, map[string]string{"key": text}, map[string]string{"digest": underPepper.String()}},
		"digest":             {peppered, map[string]string{"digest": plain.String(), "other": text}, map[string]string{"digest": plain.String()}},
		"the text as digest": {hasher, map[string]string{"digest": text}, map[string]string{"digest": ""}},
		"both":               {hasher, map[string]string{"digest": plain.String(), "key": text}, map[string]string{"digest": "", "key": ""}},
		"empty text":         {hasher, map[string]string{"key": ""}, map[string]string{"key": ""}},
		"neither":            {hasher, map[string]string{"other": text}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			data := map[string][]byte{}
			for key, value := range test.data {
				data[key] = []byte(value)
			}
			for range 2 {
				data = Trim(data, test.hasher)
				got := map[string]string{}
				for key, value := range data {
					got[key] = string(value)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
		})
	}
}
