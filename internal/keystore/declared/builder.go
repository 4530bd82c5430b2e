package declared

import (
	"slices"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// builder makes a Store.
type builder struct {
	digests *index
	signing []*keystore.Key

	seen    map[pair]struct{}      // Apps by namespace and name
	signers map[pair]*keystore.Key // signing keys by namespace and signing id
	peppers map[string]struct{}
	shared  bool
	errs    []*v1alpha1.Error
}

// pair is a namespace and a name in it.
type pair struct{ namespace, name string }

func newBuilder(apps []*Keys) *builder {
	all := 0
	for _, a := range apps {
		all += len(a.keys)
	}
	return &builder{
		digests: newIndex(all),
		seen:    make(map[pair]struct{}, len(apps)),
		signers: map[pair]*keystore.Key{},
		peppers: map[string]struct{}{},
	}
}

func (b *builder) add(a *Keys) {
	id := pair{a.app.Namespace, a.app.Name}
	if _, twice := b.seen[id]; twice {
		b.errs = append(b.errs, a.errorf(-1, "metadata.name", "remove one of them", "the App is declared twice; the first counts"))
		return
	}
	b.seen[id] = struct{}{}
	for i := range a.keys {
		switch k := &a.keys[i]; {
		case k.App == nil:
		case k.Signing != nil:
			b.addSigning(a, i)
		default:
			b.addDigest(a, i)
		}
	}
}

func (b *builder) addSigning(a *Keys, i int) {
	k := &a.keys[i].Key
	id := pair{a.app.Namespace, k.Signing.ID}
	if first := b.signers[id]; first != nil {
		b.errs = append(b.errs, a.errorf(i, "signing.keyId", "give each signing key of a namespace its own id",
			"the signing id %q is that of credential %s; the first counts", k.Signing.ID, first.ID))
		return
	}
	b.signing = append(b.signing, k)
	b.signers[id] = k
}

func (b *builder) addDigest(a *Keys, i int) {
	k := &a.keys[i].Key
	here := func(k *keystore.Key) bool { return k.App.Namespace == a.app.Namespace }
	switch first := b.digests.find(k.Digest, here); {
	case first == nil:
	case here(first):
		b.errs = append(b.errs, a.errorf(i, "apiKey.digest", "make a new key for one of them",
			"the digest is that of credential %s; the first counts", first.ID))
		return
	default:
		b.shared = true
		b.errs = append(b.errs, a.errorf(i, "apiKey.digest", "make a new key for one of them",
			"the digest is that of credential %s of another namespace, which counts for schemes that select both", first.ID))
	}
	b.digests.add(k)
	b.peppers[k.Digest.Pepper] = struct{}{}
}

func (b *builder) store() *Store {
	s := &Store{
		digests: b.digests,
		signing: make(map[string][]*keystore.Key, len(b.signing)),
		byApp:   make(map[pair][]*keystore.Key),
		shared:  b.shared,
	}
	for _, k := range b.signing {
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
