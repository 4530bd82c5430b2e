package declared

import (
	"fmt"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// builder makes a Store. There may be a million of everything, so each kind lies in one piece of memory of fixed
// capacity, which is pointed into; nothing of the declared Apps but their text is kept.
type builder struct {
	apps       []keystore.App
	digests    *index
	signing    []keystore.Key
	principals []authz.Principal

	seen    map[pair]struct{}      // Apps by namespace and name
	signers map[pair]*keystore.Key // signing keys by namespace and signing id
	peppers map[string]struct{}
	errs    []*v1alpha1.Error
}

// pair is a namespace and a name in it.
type pair struct{ namespace, name string }

func newBuilder(apps []App) *builder {
	all, signing := 0, 0
	for i := range apps {
		all += len(apps[i].Credentials)
		for j := range apps[i].Credentials {
			if apps[i].Credentials[j].Signing != nil {
				signing++
			}
		}
	}
	return &builder{
		apps:       make([]keystore.App, 0, len(apps)),
		digests:    newIndex(all - signing),
		signing:    make([]keystore.Key, 0, signing),
		principals: make([]authz.Principal, 0, all),
		seen:       make(map[pair]struct{}, len(apps)),
		signers:    make(map[pair]*keystore.Key, signing),
		peppers:    map[string]struct{}{},
	}
}

func (b *builder) addApp(a *App) {
	id := pair{a.Namespace, a.Name}
	if _, twice := b.seen[id]; twice {
		b.errorf(a, "metadata.name", "remove one of them", "the App is declared twice; the first counts")
		return
	}
	b.seen[id] = struct{}{}
	b.apps = append(b.apps, a.App)
	app := &b.apps[len(b.apps)-1]
	names := make(map[string]struct{}, len(a.Credentials))
	for i := range a.Credentials {
		name := a.Credentials[i].Name
		if _, taken := names[name]; taken {
			b.errorf(a, field(i, "name"), "give each credential its own name", "the name %q is taken; the first credential of that name counts", name)
			continue
		}
		names[name] = struct{}{}
		b.addCredential(a, app, i)
	}
}

func (b *builder) addCredential(a *App, app *keystore.App, i int) {
	c := &a.Credentials[i]
	k := keystore.Key{Signing: c.Signing, Disabled: c.Disabled, NotBefore: c.NotBefore, ExpiresAt: c.ExpiresAt}
	var place *keystore.Key
	switch {
	case c.Signing != nil:
		id := pair{a.Namespace, c.Signing.ID}
		if first := b.signers[id]; first != nil {
			b.errorf(a, field(i, "signing.keyId"), "give each signing key of a namespace its own id",
				"the signing id %q is that of credential %s; the first counts", c.Signing.ID, first.ID)
			return
		}
		b.signing = append(b.signing, k)
		place = &b.signing[len(b.signing)-1]
		b.signers[id] = place
	case c.Digest == keystore.Digest{}:
		b.errorf(a, field(i, ""), "give it one", "the credential has neither an API key's digest nor a signing key")
		return
	default:
		if first := b.digests.find(c.Digest); first != nil {
			b.errorf(a, field(i, "apiKey.digest"), "make a new key for one of them",
				"the digest is that of credential %s; the first counts", first.ID)
			return
		}
		k.Digest = c.Digest
		place = b.digests.add(k)
		b.peppers[c.Digest.Pepper] = struct{}{}
	}
	b.principals = append(b.principals, authz.Principal{})
	place.Principal = &b.principals[len(b.principals)-1]
	place.Complete(app, c.Name, c.Scopes)
}

func (b *builder) errorf(a *App, field, remedy, format string, args ...any) {
	b.errs = append(b.errs, a.Origin.Errorf(a.object(), field, remedy, format, args...))
}

// object names the App in messages.
func (a *App) object() string { return "App " + a.Namespace + "/" + a.Name }

// field names a credential's field as the resource does.
func field(credential int, name string) string {
	return strings.TrimSuffix(fmt.Sprintf("spec.credentials[%d].%s", credential, name), ".")
}

func (b *builder) store() *Store {
	s := &Store{
		digests: b.digests,
		signing: make(map[string][]*keystore.Key, len(b.signing)),
		byApp:   make(map[pair][]*keystore.Key),
	}
	for i := range b.signing {
		k := &b.signing[i]
		app := pair{k.App.Namespace, k.App.Name}
		s.signing[k.Signing.ID] = append(s.signing[k.Signing.ID], k)
		s.byApp[app] = append(s.byApp[app], k)
	}
	for id := range b.peppers {
		s.peppers = append(s.peppers, id)
	}
	slices.Sort(s.peppers)
	return s
}
