package policy

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// reserved is the set of header names by which an upstream is told who calls: the defaults, and every name that a
// policy for the host declares. What a client sends under one of them, or under an alias, must not get through.
// An alias is a spelling that some server takes for the same name: another case, '_' or '.' for '-'.
type reserved struct {
	names   []string // lower case, sorted, each once
	folded  []string // the same as aliases compare
	lengths uint64   // bit i: a name has i bytes; bit 63: or more
}

func newReserved(names []string) *reserved {
	r := &reserved{names: slices.Compact(slices.Sorted(slices.Values(names)))}
	for _, name := range r.names {
		r.folded = append(r.folded, strings.Map(fold, name))
		r.lengths |= lengthBit(name)
	}
	return r
}

func lengthBit(name string) uint64 { return 1 << min(len(name), 63) }

// clean removes every reserved header that m does not set, whether or not the request shows it, and every alias that
// the request has.
func (r *reserved) clean(req *authz.Request, m *authz.Mutation) {
	for _, name := range r.names {
		m.RemoveHeader(name)
	}
	for i := range req.Headers {
		name := req.Headers[i].Name
		if r.lengths&lengthBit(name) != 0 && r.alias(name) {
			m.RemoveHeader(name)
		}
	}
}

// alias reports whether the name is another spelling of a reserved one.
func (r *reserved) alias(name string) bool {
	for i, folded := range r.folded {
		if name != r.names[i] && equalFolded(name, folded) {
			return true
		}
	}
	return false
}

// equalFolded reports whether the name folds to the folded one.
func equalFolded(name, folded string) bool {
	if len(name) != len(folded) {
		return false
	}
	for i := range len(name) {
		if fold(rune(name[i])) != rune(folded[i]) {
			return false
		}
	}
	return true
}

func fold(c rune) rune {
	switch {
	case 'A' <= c && c <= 'Z':
		return c | 0x20
	case c == '_', c == '.':
		return '-'
	default:
		return c
	}
}

// reservations is the names reserved on each host.
type reservations struct {
	defaults *reserved
	declared map[hostPattern][]string // by the pattern of the policies that declare more than the defaults
	attached map[string][]hostPattern // by policy: the hosts of the Routes that it is attached to
	made     map[string]*reserved     // by names, so that hosts with the same ones share them
}

// reserve collects the names that policies declare: on the hosts that they name, and on those of the Routes that they
// are attached to.
func (c *Compiler) reserve(all []*policy, byHost map[hostPattern][]*policy, virtual map[hostPattern]*virtualHost) *reservations {
	x := &reservations{
		defaults: c.reserved, declared: make(map[hostPattern][]string),
		attached: make(map[string][]hostPattern), made: make(map[string]*reserved),
	}
	beyond := func(name string) bool { return !slices.Contains(x.defaults.names, name) }
	declare := func(h hostPattern, p *policy) {
		if slices.ContainsFunc(p.declared, beyond) {
			x.declared[h] = append(x.declared[h], p.declared...)
		}
	}
	for h, policies := range byHost {
		for _, p := range policies {
			declare(h, p)
		}
	}
	if len(virtual) == 0 {
		return x
	}
	byName := make(map[string]*policy, len(all))
	for _, p := range all {
		byName[p.name] = p
	}
	for h, v := range virtual {
		for _, name := range v.policies {
			if p := byName[name]; p != nil {
				declare(h, p)
				x.attached[name] = append(x.attached[name], h)
			}
		}
	}
	return x
}

// on returns the names reserved on a host.
func (x *reservations) on(h hostPattern) *reserved { return x.set(x.extra(h)) }

// of returns the names reserved on any host of a policy, and those that it declares.
func (x *reservations) of(p *policy) *reserved {
	names := slices.Clone(p.declared)
	for _, h := range slices.Concat(p.hosts, x.attached[p.name]) {
		names = append(names, x.extra(h)...)
	}
	return x.set(names)
}

// extra returns what policies for a host declare, and those for every wildcard that covers it, since one upstream may
// serve both.
func (x *reservations) extra(h hostPattern) []string {
	if len(x.declared) == 0 {
		return nil
	}
	names := slices.Clone(x.declared[h])
	for wider := range wildcards(h.name) {
		names = append(names, x.declared[wider]...)
	}
	return names
}

// set returns the set of the defaults and the names.
func (x *reservations) set(names []string) *reserved {
	names = slices.Compact(slices.Sorted(slices.Values(slices.Concat(names, x.defaults.names))))
	if len(names) == len(x.defaults.names) {
		return x.defaults
	}
	key := strings.Join(names, " ")
	if x.made[key] == nil {
		x.made[key] = newReserved(names)
	}
	return x.made[key]
}
