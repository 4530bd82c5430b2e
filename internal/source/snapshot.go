package source

import (
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Snapshot is everything in a directory, or in a cluster, at one time. Snapshots share documents, which must not be
// changed: an object that is the same in two of them has the same pointer in both. Whoever is told of a Snapshot may
// release its Apps, as long as nobody else reads them then.
type Snapshot struct {
	// Documents are in order of path and of place within a file, or of kind, namespace and name. A document with an Err
	// and a Name says what is wrong with an object: Scheme, App and Secret are then its last good version, nil if it had
	// none, Policy is as Decode leaves it, and Draft is of the last version that has one. A document with an Err and
	// without a Name, or of an unknown kind, is about something else: a file that cannot be read or parsed, or an object
	// that is in two places, of which the first counts. Objects that such a file held before are still there.
	Documents []v1alpha1.Document

	// Routes are those of the Gateway API that are known, attached to a policy or not.
	Routes []v1alpha1.Route
	// RoutesWatched says that Routes would hold every route: there are none, rather than nobody having looked.
	RoutesWatched bool

	// Generation counts the snapshots of one source, from 1. It grows when any file changes, one that resources only
	// refer to as well.
	Generation uint64

	// Err says why the directory could not be read. Documents are then those that were there before.
	Err error
}

// Result is what came of a Snapshot.
type Result struct {
	Generation uint64
	// Errors are everything that is wrong with its objects.
	Errors v1alpha1.Errors
	// Files are those that its objects refer to.
	Files []string
}

// isNamed reports whether a document tells which object it is about. A misspelt kind hides that as a missing name does.
func isNamed(d *v1alpha1.Document) bool {
	switch d.Kind {
	case v1alpha1.KindAuthScheme, v1alpha1.KindAuthPolicy, v1alpha1.KindApp, v1alpha1.KindSecret:
		return d.Name != ""
	default:
		return false
	}
}

// snapshot lays out the tree's documents and brings the last good versions up to date.
func (t *tree) snapshot() []v1alpha1.Document {
	var docs []v1alpha1.Document
	first := make(map[Key]v1alpha1.Origin, len(t.good))
	add := func(d v1alpha1.Document) {
		k := KeyOf(&d)
		if origin, ok := first[k]; ok {
			docs = append(docs, duplicate(&d, origin))
			return
		}
		first[k] = d.Origin
		docs = append(docs, t.good.Settle(d))
	}
	paths := t.paths()
	for _, path := range paths {
		for _, d := range t.files[path].documents {
			if isNamed(&d) {
				add(d)
				continue
			}
			docs = append(docs, d)
		}
	}
	for _, path := range paths {
		for _, d := range t.files[path].kept {
			if _, ok := first[KeyOf(&d)]; ok {
				continue // it has moved to another file
			}
			if good, ok := t.good[KeyOf(&d)]; ok {
				d = good // what was wrong with a later version no longer stands there; what that turned off stays off
			}
			add(d)
		}
	}
	for k := range t.good {
		if _, ok := first[k]; !ok {
			delete(t.good, k)
		}
	}
	return docs
}

// duplicate says that an object was defined before. It has no name, so that nobody takes it for the object.
func duplicate(d *v1alpha1.Document, first v1alpha1.Origin) v1alpha1.Document {
	where := v1alpha1.Position{File: first.File, Line: first.Line}
	return v1alpha1.Document{
		Origin: d.Origin, Kind: d.Kind,
		Err: v1alpha1.Errors{d.Origin.Errorf(d.Object(), "metadata.name", "rename or remove one of them",
			"is defined at %v already; that one counts", where)},
	}
}
