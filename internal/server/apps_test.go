package server

import (
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/declared"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
	"github.com/postern-auth/postern/internal/keystore/kube"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestConformance: the index of Apps whose API keys stand in Secrets obeys the law of stores. Signing keys stand in the
// Apps.
func TestConformance(t *testing.T) {
	keystoretest.Test(t, func(t *testing.T, keys []*keystore.Key) keystore.Store {
		a := &apps{
			hasher: keystore.NewHasher(keystore.Pepper{ID: "p1", Secret: "0123456789abcdef"}),
			states: states[app]{}, keys: states[kube.Credential]{},
		}
		parsed := map[string]*declared.App{}
		for _, k := range keys {
			owner, credential := k.ID[:strings.LastIndexByte(k.ID, '/')], k.ID[strings.LastIndexByte(k.ID, '/')+1:]
			if parsed[owner] == nil {
				parsed[owner] = &declared.App{App: *k.App}
			}
			if k.Signing != nil {
				parsed[owner].Credentials = append(parsed[owner].Credentials, declared.Credential{
					Name: credential, Signing: k.Signing, Disabled: k.Disabled, Scopes: scopes(k), ExpiresAt: k.ExpiresAt,
				})
				continue
			}
			read, errs := kube.FromSecret(secretOf(k, credential), v1alpha1.Origin{}, a.hasher)
			if errs != nil {
				t.Fatal(errs)
			}
			a.keys[k.ID] = &state[kube.Credential]{inUse: &read}
		}
		for name := range parsed {
			all, errs := declared.NewKeys(parsed[name])
			if errs != nil {
				t.Fatal(errs)
			}
			a.states[name] = &state[app]{inUse: &app{keys: all}}
		}
		if a.index(); a.clashes != nil {
			t.Fatal(a.clashes)
		}
		return a.store
	})
}

func scopes(k *keystore.Key) []string { return append([]string{}, k.Scopes.List()...) }

// secretOf returns the Secret of an API key.
func secretOf(k *keystore.Key, name string) *v1alpha1.Secret {
	s := &v1alpha1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: k.App.Namespace, Name: name,
			Labels: map[string]string{kube.LabelCredential: kube.CredentialAPIKey, kube.LabelApp: k.App.Name},
			Annotations: map[string]string{
				"postern.dev/scopes": strings.Join(scopes(k), ","), "postern.dev/disabled": strconv.FormatBool(k.Disabled),
			},
		},
		StringData: map[string]string{"digest": k.Digest.String()},
	}
	for name, at := range map[string]time.Time{"not-before": k.NotBefore, "expires-at": k.ExpiresAt} {
		if !at.IsZero() {
			s.Annotations["postern.dev/"+name] = at.Format(time.RFC3339)
		}
	}
	return s
}
