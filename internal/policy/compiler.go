package policy

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/policy/expr"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Compiler compiles Sets and remembers what it can use again: each policy's last good object, and what was compiled
// from what has not changed. It is not safe for concurrent use.
type Compiler struct {
	env      *expr.Env
	values   map[string]*expr.Value // of the default identity headers
	shared   *shared                // of the compilation under way
	reserved *reserved              // the default identity headers
	states   map[string]*state      // by policy
	hosts    map[hostPattern]*host  // those of the last Set that had no conflicts

	granted  []HostGrant // what Routes were compiled with
	compiled map[routeName][]*route
	virtual  map[hostPattern]*virtualHost
}

// NewCompiler makes a Compiler that has seen nothing.
func NewCompiler() (*Compiler, error) {
	env, err := expr.NewEnv()
	if err != nil {
		return nil, err
	}
	c := &Compiler{env: env, values: make(map[string]*expr.Value)}
	var names []string
	for _, h := range v1alpha1.DefaultIdentityHeaders() {
		if c.values[h.Value], err = env.Value(h.Value); err != nil {
			return nil, err
		}
		names = append(names, strings.ToLower(h.Name))
	}
	c.reserved = newReserved(names)
	return c, nil
}

// Compile makes a Set. The errors are everything that is wrong with the objects now, but for what Err of their
// documents says already; none of them keeps the Set from being used.
func (c *Compiler) Compile(in Input) (*Set, []*v1alpha1.Error) {
	c.shared = newShared()
	states := make(map[string]*state, len(in.Policies))
	var errs []*v1alpha1.Error
	for i := range in.Policies {
		doc := &in.Policies[i]
		name := doc.name()
		if other := states[name]; other != nil {
			errs = append(errs, doc.Origin.Errorf(doc.object(), "metadata.name", "give it another name or remove one",
				"there is another policy of this name at %s", other.doc.Origin.At("metadata.name")))
			continue
		}
		old := c.states[name]
		if old != nil && old.doc.UID != doc.UID {
			old = nil // that was another policy
		}
		states[name] = c.update(old, doc, &in)
	}
	c.states = states

	policies := make([]*policy, 0, len(states))
	for _, s := range states {
		errs = append(errs, s.errs...)
		policies = append(policies, s.inForce)
	}
	slices.SortFunc(policies, (*policy).compare)
	set, more := c.assemble(policies, &in)
	errs = append(errs, more...)
	slices.SortFunc(errs, compareErrors)
	return set, slices.CompactFunc(errs, func(a, b *v1alpha1.Error) bool { return compareErrors(a, b) == 0 })
}
