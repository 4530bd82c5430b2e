package source

import "github.com/postern-auth/postern/internal/resource/v1alpha1"

// Key names an object.
type Key struct{ Kind, Namespace, Name string }

// KeyOf returns the key of a document's object.
func KeyOf(d *v1alpha1.Document) Key { return Key{d.Kind, d.Namespace, d.Name} }

// LastGood holds the last version of each object that was without error, with the Draft of the last version since that
// could be read. Whoever learns that an object is gone deletes it.
type LastGood map[Key]v1alpha1.Document

// Settle returns the document as a [Snapshot] holds it: one without error as it is, one with an Err with the last good
// Scheme, App or Secret in it. Where nobody can tell what it says, the last Draft counts: what an earlier version has
// turned off stays off.
func (g LastGood) Settle(d v1alpha1.Document) v1alpha1.Document {
	k := KeyOf(&d)
	good, ok := g[k]
	switch {
	case d.Err == nil:
		g[k] = d
	case ok:
		d.Scheme, d.App, d.Secret = good.Scheme, good.App, good.Secret
		d.Recall(good.Draft)
		good.Draft = d.Draft
		g[k] = good
	}
	return d
}
