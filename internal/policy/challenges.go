package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// challenges are the WWW-Authenticate values of a requirement, rendered once: one for each scheme.
type challenges struct {
	plain   []string
	refused [][]string // by scheme: for a caller whose credential for it was refused
	lacking [][]string // by alternative: for a caller who lacks a scope of it
	headers []authz.Header
}

// newChallenges renders the challenges of a requirement, and those of its alternatives for callers who lack a scope.
func newChallenges(q *requirement, realm string) *challenges {
	c := &challenges{refused: make([][]string, len(q.schemes))}
	each := make([]authz.Challenge, len(q.schemes))
	for i, s := range q.schemes {
		each[i] = s.Authenticator.Challenge(cmp.Or(s.Realm, realm))
		for _, h := range each[i].Headers {
			if !slices.Contains(c.headers, h) {
				c.headers = append(c.headers, h)
			}
		}
	}
	c.plain = render(each)
	for i := range each {
		c.refused[i] = c.plain
		if isBearer(each[i]) { // RFC 6750 section 3.1
			told := slices.Clone(each)
			told[i] = each[i].With("error", "invalid_token")
			c.refused[i] = render(told)
		}
	}
	for i := range q.alternatives {
		a := &q.alternatives[i]
		var lacking []authz.Challenge
		for _, t := range a.terms {
			if isBearer(each[t.scheme]) {
				lacking = append(lacking, each[t.scheme].With("error", "insufficient_scope").With("scope", a.scopes().String()))
			}
		}
		c.lacking = append(c.lacking, render(lacking))
	}
	return c
}

func isBearer(c authz.Challenge) bool { return strings.EqualFold(c.Scheme, "Bearer") }

// render returns the challenges' text, each once.
func render(list []authz.Challenge) []string {
	var texts []string
	for _, c := range list {
		if text := c.String(); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}
