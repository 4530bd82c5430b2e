package status

import (
	"maps"

	"k8s.io/apimachinery/pkg/types"

	"github.com/postern-auth/postern/internal/kube/attach"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// State is what came of a load.
type State struct {
	// Objects are all AuthSchemes, AuthPolicies, Apps and Secrets that were loaded, those in error too.
	Objects []Object
	// Errors are everything that is wrong with them.
	Errors v1alpha1.Errors
	// Attach says where the policies hold.
	Attach attach.Output
}

// Object is an AuthScheme, AuthPolicy, App or Secret as it was when it was loaded.
type Object struct {
	Kind, Namespace, Name string

	UID             types.UID
	Generation      int64
	ResourceVersion string
}

// key names an object or a target.
type key struct{ kind, namespace, name string }

// String returns the object as messages name it: "AuthPolicy shop/orders".
func (k key) String() string { return k.kind + " " + k.namespace + "/" + k.name }

// record is what is remembered of an object from load to load.
type record struct {
	uid        types.UID
	generation int64
	version    string // the resource version at which this generation was first seen
	verdict    verdict
	inForce    int64    // the generation that decides; 0: none that is known
	needs      versions // what a replica must have put in force to decide by it
}

// complaint is what is wrong with a Secret. A Secret has no status that could say it.
type complaint struct {
	uid             types.UID
	reason, message string
}

// ledger is everything that is known after a load. It is not changed any more.
type ledger struct {
	records  map[key]record
	affected map[key][]string // the policies, "namespace/name", that hold for a target
	secrets  map[key]complaint
	inForce  versions
}

// next returns the ledger after another load.
func (l *ledger) next(s State) *ledger {
	now := &ledger{
		records:  make(map[key]record, len(s.Objects)),
		affected: make(map[key][]string, len(s.Attach.Affected)),
		secrets:  map[key]complaint{},
		inForce:  versions{},
	}
	maps.Copy(now.inForce, l.inForce)
	errs := byObject(s.Errors)
	targets := byPolicy(s.Attach.Targets)
	needs := versions{}
	for i := range s.Objects {
		o := &s.Objects[i]
		k := key{o.Kind, o.Namespace, o.Name}
		if k.kind == v1alpha1.KindSecret {
			if wrong := errs[k.String()]; wrong != nil {
				v := judge(wrong, nil)
				now.secrets[k] = complaint{o.UID, string(v.reason), v.message}
			}
			continue
		}
		r := record{uid: o.UID, generation: o.Generation, version: o.ResourceVersion}
		if before, ok := l.records[k]; ok && before.uid == r.uid {
			r.inForce, r.needs = before.inForce, before.needs
			if before.generation == r.generation {
				r.version = before.version
			}
		}
		r.verdict = judge(errs[k.String()], targets[k.String()])
		if !r.verdict.withheld {
			r.inForce = r.generation
		}
		now.records[k] = r
		now.inForce.raise(k.kind, o.ResourceVersion)
		needs.raise(k.kind, r.version)
	}
	for k, r := range now.records {
		before, known := l.records[k]
		if !known || before.uid != r.uid || before.generation != r.generation || before.verdict.reason != r.verdict.reason {
			r.needs = needs
			now.records[k] = r
		}
	}
	for _, a := range s.Attach.Affected {
		now.affected[key{a.Kind, a.Namespace, a.Name}] = a.Policies
	}
	return now
}

// seen returns the ledger after objects were found to have these versions, if all of them are in force.
func (l *ledger) seen(objects []Object) *ledger {
	inForce := maps.Clone(l.inForce)
	for i := range objects {
		o := &objects[i]
		r, ok := l.records[key{o.Kind, o.Namespace, o.Name}]
		if !ok || r.uid != o.UID || r.generation != o.Generation {
			return l
		}
		inForce.raise(o.Kind, o.ResourceVersion)
	}
	if maps.Equal(inForce, l.inForce) {
		return l
	}
	return &ledger{records: l.records, affected: l.affected, secrets: l.secrets, inForce: inForce}
}

// byObject sorts errors by the object that they are about.
func byObject(errs v1alpha1.Errors) map[string]v1alpha1.Errors {
	by := make(map[string]v1alpha1.Errors)
	for _, e := range errs {
		by[e.Object] = append(by[e.Object], e)
	}
	return by
}

// byPolicy sorts the targets by the policy that names them.
func byPolicy(all []attach.Target) map[string][]attach.Target {
	by := make(map[string][]attach.Target)
	for i := range all {
		policy := v1alpha1.KindAuthPolicy + " " + all[i].Policy
		by[policy] = append(by[policy], all[i])
	}
	return by
}
