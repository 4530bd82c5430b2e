package v1alpha1

// mostTargets is the Gateway API's bound of ancestors in a status.
const mostTargets = 16

// targetRefs checks what a policy is attached to. Whether it is there is found out by whoever knows the cluster.
func (c *checker) targetRefs(spec path, s *AuthPolicySpec) {
	at := spec.dot("targetRefs")
	if len(s.Hosts) > 0 {
		c.errorf(spec.dot("hosts"), "keep one of hosts and targetRefs", "a policy with targetRefs takes its hosts from them")
	}
	c.count(at, len(s.TargetRefs), mostTargets)
	seen := map[TargetReference]bool{}
	for i := range s.TargetRefs {
		ref, at := &s.TargetRefs[i], at.index(i)
		c.targetRef(at, ref)
		if seen[*ref] {
			c.errorf(at, "remove one of them", "the target is there twice")
		}
		seen[*ref] = true
	}
}

// targetRef checks one of them by itself.
func (c *checker) targetRef(at path, ref *TargetReference) {
	if ref.Group != GatewayGroup {
		c.errorf(at.dot("group"), "write "+GatewayGroup+" or leave it out", "%s is not a group that policies attach to", quote(ref.Group))
	}
	oneWord(c, at.dot("kind"), ref.Kind, KindGateway, KindHTTPRoute, KindGRPCRoute)
	if !IsDNSLabel(ref.Namespace) {
		c.errorf(at.dot("namespace"), labelRemedy, "%s is not a namespace", quote(ref.Namespace))
	}
	if !isDNSName(ref.Name) {
		c.errorf(at.dot("name"), nameRemedy, "%s is not a name", quote(ref.Name))
	}
	if ref.SectionName != "" && !isDNSName(ref.SectionName) {
		c.errorf(at.dot("sectionName"), nameRemedy, "%s is not a section's name", quote(ref.SectionName))
	}
}
