package policy

// rule is a compiled rule. Its matches point to it.
type rule struct {
	policy      *policy
	name        string
	broken      bool // the policy cannot be used: deny
	readsParams bool // an expression reads request.params
	settings
}

// settings are what a rule takes from its policy unless it sets them again.
type settings struct {
	shadow      bool
	requirement *requirement
	challenges  *challenges
	conditions  []condition
	identity    []identityHeader
	origins     []string // whose preflight requests pass
}

// defaultRule is the name of the one rule of a policy that lists none.
const defaultRule = "default"
