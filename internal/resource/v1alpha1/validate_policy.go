package v1alpha1

import (
	"net/url"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// The bounds of one policy. They are far above what people write, and keep one object from growing without end.
const (
	mostHosts        = 1000
	mostRules        = 1000
	mostAlternatives = 64
	mostExpression   = 4 << 10 // bytes of a CEL expression
)

// Validate returns everything that is wrong with the policy and can be told from it alone: whether its schemes exist
// and its expressions have the right type is found out by whoever compiles it. It expects defaults to be set.
func (p *AuthPolicy) Validate() Errors {
	c := p.checker()
	const spec = path("spec")
	c.typeMeta(p.TypeMeta)
	c.metadata()
	if len(p.Spec.TargetRefs) == 0 {
		c.hosts(spec.dot("hosts"), p.Spec.Hosts)
	} else {
		c.targetRefs(spec, &p.Spec)
	}
	oneWord(c, spec.dot("mode"), p.Spec.Mode, ModeEnforce, ModeShadow)
	c.requirements(spec, &p.Spec.Requirements)
	if len(p.Spec.Rules) == 0 && p.Spec.Security == nil {
		c.errorf(spec.dot("security"), "list the schemes that let a caller in, or [{}] for everybody", "is missing")
	}
	c.count(spec.dot("rules"), len(p.Spec.Rules), mostRules)
	seen := names{}
	for i := range p.Spec.Rules {
		r := &p.Spec.Rules[i]
		at := spec.dot("rules").index(i)
		if !IsDNSLabel(r.Name) {
			c.errorf(at.dot("name"), labelRemedy, "%s is not a rule's name", quote(r.Name))
		}
		c.unique(seen, at.dot("name"), r.Name, "the rule "+quote(r.Name))
		c.matches(at.dot("match"), r.Match)
		if r.Mode != "" {
			oneWord(c, at.dot("mode"), r.Mode, ModeEnforce, ModeShadow)
		}
		c.requirements(at, &r.Requirements)
		if r.Security == nil && p.Spec.Security == nil {
			c.errorf(at.dot("security"), "list the schemes that let a caller in, or [{}] for everybody; or do so in spec.security", "is missing")
		}
	}
	return c.errs
}

func (c *checker) hosts(at path, hosts []string) {
	if len(hosts) == 0 {
		c.errorf(at, "name the hosts that the policy is for, or its targetRefs", "is missing")
	}
	c.count(at, len(hosts), mostHosts)
	seen := names{}
	for i, h := range hosts {
		if host := c.host(at.index(i), h); host != "" {
			c.unique(seen, at.index(i), host, "the host "+quote(h))
		}
	}
}

// host checks a host pattern and returns its canonical form, "" if it has none.
func (c *checker) host(at path, pattern string) string {
	const remedy = "write a name such as orders.example.com, or *.example.com for all names below it"
	name, wildcard := strings.CutPrefix(pattern, "*.")
	host, err := authz.CanonicalHost(name)
	isIP := err == nil && (host[0] == '[' || looksLikeIPv4(host))
	switch {
	case pattern == "*":
		c.errorf(at, remedy, "a policy for every host is not supported")
	case strings.Contains(name, "*"):
		c.errorf(at, remedy, "%s has '*' elsewhere than as its first label", quote(pattern))
	case err == nil && strings.Contains(name[strings.LastIndexByte(name, ']')+1:], ":"):
		c.errorf(at, "leave the port out; a policy is for all ports", "%s names a port", quote(pattern))
	case err != nil:
		c.errorf(at, remedy, "%s is not a host", quote(pattern))
	case wildcard && isIP:
		c.errorf(at, "write the address alone", "%s: nothing is below an address", quote(pattern))
	case wildcard:
		return "*." + host
	default:
		return host
	}
	return ""
}

// looksLikeIPv4 reports whether the host's last label is a number, as only an address's is.
func looksLikeIPv4(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Trim(last, "0123456789") == ""
}

// requirements checks the fields that a policy and its rules share, except mode.
func (c *checker) requirements(at path, r *Requirements) {
	c.security(at.dot("security"), r.Security)
	c.count(at.dot("authorize"), len(r.Authorize), 64)
	for i := range r.Authorize {
		c.condition(at.dot("authorize").index(i), &r.Authorize[i])
	}
	if r.Identity != nil {
		c.identity(at.dot("identity").dot("headers"), r.Identity.Headers)
	}
	if r.CORS != nil {
		c.origins(at.dot("cors").dot("allowOrigins"), r.CORS.AllowOrigins)
	}
}

func (c *checker) security(at path, alternatives []SecurityRequirement) {
	if alternatives != nil && len(alternatives) == 0 {
		c.errorf(at, "list the schemes that let a caller in, or [{}] for everybody", "is empty")
	}
	c.count(at, len(alternatives), mostAlternatives)
	for i, all := range alternatives {
		c.count(at.index(i), len(all), 16)
		for scheme, scopes := range sorted(all) {
			if !isDNSName(scheme) {
				c.errorf(at.index(i).dot(scheme), "name an AuthScheme of this namespace or of the shared one, without a namespace",
					"%s is not a scheme's name", quote(scheme))
			}
			c.scopes(at.index(i).dot(scheme), scopes)
		}
	}
}

func (c *checker) condition(at path, cond *Condition) {
	c.oneOf(at, choice{"cel", cond.CEL != ""}, choice{"apps", len(cond.Apps) > 0})
	if cond.CEL != "" {
		c.length(at.dot("cel"), cond.CEL, mostExpression)
	}
	c.count(at.dot("apps"), len(cond.Apps), 1000)
	for i, app := range cond.Apps {
		namespace, name, qualified := strings.Cut(app, "/")
		if !qualified {
			namespace, name = DefaultNamespace, app
		}
		if !IsDNSLabel(namespace) || !isDNSName(name) {
			c.errorf(at.dot("apps").index(i), "write name, or namespace/name", "%s is not an App's name", quote(app))
		}
	}
	if cond.Code != "" && !isCode(cond.Code) {
		c.errorf(at.dot("code"), "use lower-case letters, digits and '_', 64 at most", "%s is not a code", quote(cond.Code))
	}
}

// identity checks the headers that tell the upstream who calls. They are removed from every request that a client
// sends, so none may be one that requests need.
func (c *checker) identity(at path, headers []IdentityHeader) {
	c.count(at, len(headers), 64)
	seen := names{}
	for i, h := range headers {
		name := at.index(i).dot("name")
		if c.headerName(name, h.Name) {
			switch folded := foldHeader(h.Name); {
			case carriesRequest(folded):
				c.errorf(name, "use a name of its own, such as X-Auth-Subject", "%s carries the request itself", quote(h.Name))
			case isHint(folded):
				c.errorf(name, "use a name of its own, such as X-Auth-Subject", "%s is set by proxies", quote(h.Name))
			case folded == "authorization", folded == "cookie":
				c.errorf(name, "use a name of its own, such as X-Auth-Subject",
					"%s would be taken from every client of the host", quote(h.Name))
			}
			c.unique(seen, name, foldHeader(h.Name), quote(h.Name)+", or another spelling of it,")
		}
		c.length(at.index(i).dot("value"), h.Value, mostExpression)
	}
}

func (c *checker) origins(at path, origins []string) {
	c.count(at, len(origins), 256)
	seen := names{}
	for i, o := range origins {
		place := at.index(i)
		switch canonical := canonicalOrigin(o); {
		case o == "*" || o == "null":
			c.errorf(place, "list the origins, such as https://app.example.com", "%s stands for origins that nobody knows", quote(o))
		case canonical == "":
			c.errorf(place, "write scheme://host, or scheme://host:port", "%s is not an origin", quote(o))
		case canonical != o:
			c.errorf(place, "write "+canonical, "%s is not how browsers send it", quote(o))
		}
		c.unique(seen, place, o, quote(o))
	}
}

// canonicalOrigin returns an origin as browsers send it (RFC 6454 section 6.2), "" if the text is none.
func canonicalOrigin(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || strings.TrimRight(u.Path, "/") != "" ||
		strings.ContainsAny(text, "?#") {
		return ""
	}
	host, err := authz.CanonicalHost(u.Host)
	if err != nil || strings.HasSuffix(u.Host, ":") {
		return ""
	}
	usual := map[string]string{"https": "443", "http": "80"}
	if port := u.Port(); port != "" && port != usual[u.Scheme] {
		host += ":" + port
	}
	return u.Scheme + "://" + host
}
