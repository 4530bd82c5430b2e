package v1alpha1

import (
	"bytes"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// MaxDocument is the size of the largest document that Decode reads, in bytes.
const MaxDocument = 1 << 20

// Document is one YAML document of a file, or one object of the Kubernetes API.
//
// Without Err exactly one of Scheme, Policy, App and Secret is set, with its defaults and validated. With Err the names
// say as much as could be read, and Policy holds what is needed to deny the policy's routes: its metadata, those of its
// hosts and targets that are valid, and the names and matches of its rules. A condition of a match that is not valid is
// left out, so that the match is wider than it was meant to be, never narrower. It is nil if neither could be read.
//
// +kubebuilder:object:generate=false
type Document struct {
	Origin Origin

	Kind      string
	Namespace string
	Name      string
	UID       types.UID // of an object of the Kubernetes API; empty: of a file

	Scheme *AuthScheme
	Policy *AuthPolicy
	App    *DeclaredApp
	Secret *Secret

	Err   error  // an Errors
	Draft Object // what an App or a Secret with Err says as far as it could be read; nil: nothing that can be relied on
}

// Object returns the document's object as messages name it: "AuthPolicy shop/orders".
func (d *Document) Object() string { return objectName(d.Kind, d.Namespace, d.Name) }

// Decode reads every document of a YAML or JSON file, in order. Documents without content are left out. What is wrong
// with one document is in its Err and touches no other.
//
// It keeps data, which must not be changed afterwards.
func Decode(file string, data []byte) []Document {
	if bad := invalidUTF8(data); bad >= 0 {
		o := Origin{File: file, Line: 1 + bytes.Count(data[:bad], []byte{'\n'})}
		return []Document{{Origin: o, Err: Errors{o.Errorf("", "", "save the file as UTF-8", "the file is not UTF-8 text")}}}
	}
	parts := split(data)
	docs := make([]Document, len(parts))
	each((len(parts)+runLength-1)/runLength, func(run int) {
		from, to := run*runLength, min((run+1)*runLength, len(parts))
		roots := parseRun(data, parts[from:to])
		for i, p := range parts[from:to] {
			o := Origin{File: file, Line: p.line, text: data[p.begin:p.end], first: p.line}
			docs[from+i] = decode(o, roots[i])
		}
	})
	return docs
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, -1 if there is none.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// each calls f for 0 … n-1 on as many processors as there are.
func each(n int, f func(int)) {
	if n == 1 {
		f(0)
		return
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	all.Wait()
}

// Object is what the kinds have in common.
//
// +kubebuilder:object:generate=false
type Object interface {
	metav1.Object
	SetDefaults()
	Validate() Errors
}

// NewDocument makes the document of an object that came from the Kubernetes API, as Decode does of one in a file: with
// its defaults and validated. It takes the object over. There is no directory that a path could be relative to, so files
// that the object names are errors.
func NewDocument(o Object) Document {
	doc := Document{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID()}
	switch o := o.(type) {
	case *AuthScheme:
		doc.Kind, doc.Scheme = KindAuthScheme, o
	case *AuthPolicy:
		doc.Kind, doc.Policy = KindAuthPolicy, o
	case *App:
		doc.Kind, doc.App = KindApp, &DeclaredApp{app: o}
	case *Secret:
		doc.Kind, doc.Secret = KindSecret, o
	}
	o.SetDefaults()
	doc.conclude(append(o.Validate(), doc.filesNamed()...))
	return doc
}

// decode reads one document. root is nil if it has not been parsed.
func decode(o Origin, root *yaml.Node) Document {
	doc := Document{Origin: o}
	if len(o.text) > MaxDocument {
		doc.Err = Errors{o.Errorf("", "", "split it into several documents, or keep large key material in files of its own",
			"the document has %d bytes, more than %d", len(o.text), MaxDocument)}
		return doc
	}
	if root == nil {
		var err error
		if root, err = parse(o.text); err != nil {
			doc.Err = Errors{syntaxError(o, err)}
			return doc
		}
	}
	doc.Origin.Line = o.position(root).Line
	doc.Kind, doc.Namespace, doc.Name = identify(root)

	d := decoder{origin: doc.Origin, object: doc.Object(), root: root}
	var target Object
	switch doc.Kind {
	case KindAuthScheme:
		doc.Scheme = new(AuthScheme)
		target = doc.Scheme
	case KindAuthPolicy:
		doc.Policy = new(AuthPolicy)
		target = doc.Policy
	case KindApp:
		doc.App = &DeclaredApp{app: new(App), text: o.text}
		target = doc.App.app
	case KindSecret:
		doc.Secret = new(Secret)
		target = doc.Secret
	default:
		doc.Err = Errors{d.unknownKind(doc.Kind)}
		return doc
	}
	d.decode(target)
	target.SetDefaults()
	d.merge(target.Validate())
	slices.SortStableFunc(d.errs, func(a, b *Error) int { return a.Line - b.Line })
	doc.conclude(d.errs)
	return doc
}

// conclude ends the reading of an object: with errors nothing of it is left but a draft and the routes of a policy.
func (d *Document) conclude(errs Errors) {
	if d.Err = errs.err(); d.Err == nil {
		return
	}
	switch {
	case d.App != nil:
		d.Draft = d.App.Read().draft(errs)
	case d.Secret != nil:
		d.Draft = d.Secret
	}
	d.Scheme, d.App, d.Secret = nil, nil, nil
	if d.Policy != nil {
		d.Policy = d.Policy.routes()
	}
}

// identify reads what names the object, leniently: decoding complains about what is wrong with it.
func identify(root *yaml.Node) (kind, namespace, name string) {
	text := func(n *yaml.Node, field string) string {
		if n == nil {
			return ""
		}
		if _, n = child(n, field); n == nil {
			return ""
		}
		if n = resolve(n); n.Kind != yaml.ScalarNode || n.Tag == nullTag {
			return ""
		}
		return n.Value
	}
	_, metadata := child(root, "metadata")
	namespace = text(metadata, "namespace")
	if namespace == "" {
		namespace = DefaultNamespace
	}
	return text(root, "kind"), namespace, text(metadata, "name")
}
