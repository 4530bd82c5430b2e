package authz

// Decision is the outcome of one check. The zero Decision denies; only [Allow] makes one that does not.
type Decision struct {
	Reason Reason

	Policy string // "namespace/name"; empty when no policy was found
	Rule   string
	Scheme string // the scheme that gave Principal, or the first that refused

	Principal *Principal // nil: anonymous, or denied before anybody was known

	// Code replaces the class's code in the body of a 403, when the policy names one.
	Code string

	// Challenges are WWW-Authenticate values, ResponseHeaders go with them. Both are prepared when a policy is
	// compiled and shared between decisions: they must not be changed.
	Challenges      []string
	ResponseHeaders []Header

	// Shadow is set when the policy only observes: the request goes through whatever Reason says.
	Shadow bool

	Explanation *Explanation // what the client of a 401 is told beside; nearly always nil

	Err error // detail for operators; may be nil

	allowed  bool
	mutation Mutation
}

// Allow makes a Decision that lets the request through, changed by m. It is the only way to one.
//
// With ClassAllowed reasons it says that the caller was allowed; with another reason it is Shadow mode's way to let a
// request through that would have been denied.
func Allow(reason Reason, m Mutation) Decision {
	return Decision{Reason: reason, Shadow: reason.Class() != ClassAllowed, allowed: true, mutation: m}
}

// Deny makes a Decision that refuses the request. A reason of ClassAllowed cannot be denied with: it becomes
// ReasonInternal.
func Deny(reason Reason, err error) Decision {
	if reason.Class() == ClassAllowed {
		reason = ReasonInternal
	}
	return Decision{Reason: reason, Err: err}
}

// Allowed reports whether the request may go through.
func (d *Decision) Allowed() bool { return d.allowed }

// Mutation returns what an allowed request is changed by; it is empty on a denial.
func (d *Decision) Mutation() *Mutation { return &d.mutation }

// Verdict returns the decision's word in metadata, metrics and logs: "allow", "deny" or "shadow_deny", the last for
// a request let through that Enforce mode would have denied.
func (d *Decision) Verdict() string {
	switch {
	case !d.allowed:
		return "deny"
	case d.Reason.Class() != ClassAllowed:
		return "shadow_deny"
	default:
		return "allow"
	}
}
