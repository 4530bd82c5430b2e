package v1alpha1

import "time"

// Route is one rule of an HTTPRoute or GRPCRoute, as far as deciding needs it, with the policy that is attached to it.
//
// A request belongs to the Route whose host and match fit it best, by the Gateway API's rules of precedence; what other
// policies say of its host counts only where no Route has a Policy for it.
//
// +kubebuilder:object:generate=false
type Route struct {
	Kind      string // HTTPRoute or GRPCRoute
	Namespace string
	Name      string
	Created   time.Time // of the route: of two that fit equally well the older wins, then the first by namespace and name
	Rule      int       // its place in the route: of two that fit equally well the first wins
	Section   string    // the rule's name; empty: it has none

	// Hosts are canonical names and wildcards, already cut down to what Listeners accept. "*" is every host, the least
	// specific of all.
	Hosts   []string
	Matches []RouteMatch // alternatives; there is at least one

	// Listeners are Envoy's listeners that serve it on all of Hosts, sorted; what each is called does not matter. On one
	// listener the most specific host decides, and of its Routes the match. A request does not tell which listener it
	// came through. So the Route is looked for on each by itself, and where those found do not agree in Policy, the
	// request is refused: what is open on an internal Gateway must not open the same host on a public one.
	Listeners []string

	// Policy is the AuthPolicy in force for it, "namespace/name"; empty: none is attached.
	Policy string

	// Redirects says that no upstream sees the requests that fit: Envoy answers them with a redirect. Such a Route gives way
	// to those of other listeners: one that sends everybody from http to https, perhaps under the Gateway's policy, would
	// else disagree with every policy behind it. Without a Policy all that it does, where Envoy does not name the route, is
	// to take its hosts on its listeners, as others do.
	Redirects bool

	// Denied says why requests that fit are refused, whatever else they fit: a condition cannot be read, and Matches
	// are what is left without it. Empty: nothing of that.
	Denied string
}

// RouteMatch holds when all of its fields hold.
//
// +kubebuilder:object:generate=false
type RouteMatch struct {
	Path    *PathMatch // exact, prefix or regex, never a template; nil: every path
	Method  string     // empty: every method
	Headers []RouteValueMatch
	Query   []RouteValueMatch // query parameters

	// Wider is RE2 for a whole path, or for all of it with the query: what some gateway takes for the match besides Path,
	// since each makes paths of its own of a GRPCRoute. What it may be before, under another policy, is refused. Empty: Path
	// is the same in all.
	Wider string
}

// RouteValueMatch is a header or query parameter with its value.
//
// +kubebuilder:object:generate=false
type RouteValueMatch struct {
	Name  string
	Value string
	Regex bool // Value is RE2 and matches the whole value
}

// Object returns the route as messages name it: "HTTPRoute shop/orders".
func (r *Route) Object() string { return objectName(r.Kind, r.Namespace, r.Name) }
