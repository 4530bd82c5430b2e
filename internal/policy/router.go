package policy

import "slices"

// router finds the best match for a path. A few matches are tried one by one: they lie side by side in memory. Of many,
// exact paths are in a map, templates and prefixes in a tree by segment, so that the work does not grow with the number
// of rules; only regular expressions are tried one by one there.
type router struct {
	all   []match // every match, the one that wins first
	exact map[string][]*match
	tree  node
	regex []*match
	any   []*match
}

// node is a place in the tree: the segments from the root to it have matched.
type node struct {
	children  map[string]*node
	param     *node    // after a segment that a parameter takes
	templates []*match // templates that end here
	rests     []*match // templates whose {name=**} begins after here
	prefixes  []*match // prefixes that end here
	slashes   []*match // prefixes that end in the slash after here
}

// few is how many matches are tried one by one.
const few = 8

// newRouter makes a router of matches.
func newRouter(matches []*match) *router {
	r := &router{all: make([]match, 0, len(matches))}
	for _, m := range slices.SortedFunc(slices.Values(matches), (*match).compare) {
		r.all = append(r.all, *m)
	}
	if len(r.all) > few {
		r.index()
	}
	return r
}

// index enters the matches into the maps and the tree.
func (r *router) index() {
	for i := range r.all {
		m := &r.all[i]
		switch m.path.kind {
		case pathExact:
			if r.exact == nil {
				r.exact = make(map[string][]*match)
			}
			r.exact[m.path.text] = append(r.exact[m.path.text], m)
		case pathTemplate:
			r.tree.addTemplate(m)
		case pathPrefix:
			r.tree.addPrefix(m)
		case pathRegex:
			r.regex = append(r.regex, m)
		case pathAny:
			r.any = append(r.any, m)
		}
	}
}

// find returns the best match for the path in one of its readings, nil if there is none.
func (r *router) find(p *probe, path string, loose bool) *match {
	if len(r.all) > few {
		return r.search(p, path, loose)
	}
	for i := range r.all {
		if m := &r.all[i]; m.fits(p, path, loose) {
			return m
		}
	}
	return nil
}

// search is find by the maps and the tree.
func (r *router) search(p *probe, path string, loose bool) *match {
	if m := pick(r.exact[path], p, loose); m != nil {
		return m
	}
	if m := r.tree.template(path, p, loose, nil); m != nil {
		return m
	}
	if m := r.tree.prefix(path, p, loose); m != nil {
		return m
	}
	for _, m := range r.regex {
		if m.path.matches(path) && m.holds(p) {
			return m
		}
	}
	return pick(r.any, p, loose)
}

// of returns the best match of one rule whose path fits, whatever else it asks for.
func (r *router) of(rule *rule, path string, loose bool) *match {
	for i := range r.all {
		if m := &r.all[i]; m.rule == rule && (loose || !m.loose) && m.path.matches(path) {
			return m
		}
	}
	return nil
}

// pick returns the first match that holds, of matches whose path fits.
func pick(matches []*match, p *probe, loose bool) *match {
	for _, m := range matches {
		if (loose || !m.loose) && m.holds(p) {
			return m
		}
	}
	return nil
}

func (n *node) child(segment string) *node {
	c := n.children[segment]
	if c == nil {
		if n.children == nil {
			n.children = make(map[string]*node)
		}
		c = &node{}
		n.children[segment] = c
	}
	return c
}

func (n *node) addTemplate(m *match) {
	for _, s := range m.path.template.segments {
		switch {
		case s.param == "":
			n = n.child(s.literal)
		case n.param == nil:
			n.param = &node{}
			n = n.param
		default:
			n = n.param
		}
	}
	if m.path.template.rest != "" {
		n.rests = append(n.rests, m)
	} else {
		n.templates = append(n.templates, m)
	}
}

func (n *node) addPrefix(m *match) {
	for rest := m.path.text; rest != ""; {
		if rest == "/" {
			n.slashes = append(n.slashes, m)
			return
		}
		var segment string
		segment, rest = cutSegment(rest)
		n = n.child(segment)
	}
	n.prefixes = append(n.prefixes, m)
}

// template returns the best template for the rest of the path, or best if that is better. It walks both ways where a
// literal and a parameter fit, so it visits no more nodes than there are different beginnings of templates that fit.
func (n *node) template(rest string, p *probe, loose bool, best *match) *match {
	if rest == "" {
		return better(best, pick(n.templates, p, loose))
	}
	best = better(best, pick(n.rests, p, loose))
	segment, rest := cutSegment(rest)
	if c := n.children[segment]; c != nil {
		best = c.template(rest, p, loose, best)
	}
	if n.param != nil && segment != "" {
		best = n.param.template(rest, p, loose, best)
	}
	return best
}

// better returns the match that wins; each may be nil.
func better(a, b *match) *match {
	if a == nil || b != nil && b.compare(a) < 0 {
		return b
	}
	return a
}

// prefix returns the longest prefix of the rest of the path.
func (n *node) prefix(rest string, p *probe, loose bool) *match {
	if rest != "" {
		segment, after := cutSegment(rest)
		if c := n.children[segment]; c != nil {
			if m := c.prefix(after, p, loose); m != nil {
				return m
			}
		}
		if m := pick(n.slashes, p, loose); m != nil {
			return m
		}
	}
	return pick(n.prefixes, p, loose)
}
