package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postern-auth/postern/internal/authz"
)

// stub is an authenticator that believes what the request says in the header x-test-<name>: a principal such as
// "subject=alice;scopes=a b;claim.org=acme", "unavailable", "explained", or the name of a reason to refuse with.
type stub struct {
	name     string
	kind     Kind
	in       *authz.Locations
	verified *int // counts calls of Verify, if set
}

func newStub(name string, kind Kind) *stub {
	locations := []authz.Location{{Header: "x-test-" + name}, {Query: "test_" + name}, {Cookie: "test_" + name}}
	return &stub{name: name, kind: kind, in: authz.NewLocations(locations, false)}
}

func (s *stub) Extract(r *authz.Request) (authz.Credential, error) {
	c, err := s.in.Find(r)
	switch {
	case err != nil:
		return c, err
	case c.Value.Reveal() == "malformed":
		return c, authz.Fail(authz.ReasonMalformedCredential, nil)
	case c.Value.Reveal() == "broken":
		return c, errors.New("extraction broke")
	}
	return c, nil
}

func (s *stub) Verify(_ context.Context, _ *authz.Request, c authz.Credential) (*authz.Principal, error) {
	if s.verified != nil {
		*s.verified++
	}
	text := c.Value.Reveal()
	switch text {
	case "nobody":
		return nil, nil
	case "bug":
		return nil, errors.New("verification broke")
	case "yes":
		return nil, authz.Fail(authz.ReasonAuthenticated, nil)
	case "unavailable":
		return nil, authz.Fail(authz.ReasonStoreUnavailable, nil)
	case "explained":
		return nil, authz.Explain(authz.Fail(authz.ReasonBadSignature, nil), &authz.Explanation{Text: "GET\n"})
	}
	for _, reason := range authz.Reasons() {
		if reason.String() == text {
			return nil, authz.Fail(reason, nil)
		}
	}
	return parsePrincipal(text)
}

func parsePrincipal(text string) (*authz.Principal, error) {
	p := &authz.Principal{}
	for part := range strings.SplitSeq(text, ";") {
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not key=value", part)
		}
		claim, isClaim := strings.CutPrefix(key, "claim.")
		attribute, isAttribute := strings.CutPrefix(key, "attr.")
		switch {
		case isClaim && p.Claims == nil:
			p.Claims = map[string]any{}
			fallthrough
		case isClaim:
			p.Claims[claim] = value
			if items, ok := strings.CutPrefix(value, "list:"); ok {
				var list []any
				for item := range strings.SplitSeq(items, "|") {
					list = append(list, item)
				}
				p.Claims[claim] = list
			}
		case isAttribute:
			if p.Attributes == nil {
				p.Attributes = map[string]string{}
			}
			p.Attributes[attribute] = value
		case key == "subject":
			p.Subject = value
		case key == "app":
			p.App = value
		case key == "key":
			p.KeyID = value
		case key == "scopes":
			p.Scopes = authz.NewScopes(strings.Fields(value)...)
		default:
			return nil, fmt.Errorf("unknown key %q", key)
		}
	}
	return p, nil
}

func (s *stub) Challenge(realm string) authz.Challenge {
	c := authz.Challenge{Scheme: "ApiKey", Params: []authz.Field{{Name: "realm", Value: realm}}}
	switch s.kind {
	case KindJWT, KindIntrospection:
		c.Scheme = "Bearer"
	case KindSignature:
		c.Scheme = "Signature"
		c.Headers = []authz.Header{{Name: "accept-signature", Value: "sig1=(\"@method\")"}}
	}
	return c
}

var kinds = map[string]Kind{
	"jwt": KindJWT, "introspection": KindIntrospection, "signature": KindSignature,
	"clientCertificate": KindClientCertificate, "basic": KindBasic, "apiKey": KindAPIKey,
}
