package apikey

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// appCode is the simple authentication of Alibaba Cloud API Gateway: an AppCode in any of three places. It would also
// say checksum: Ignored for AppCodes that were imported from there.
var appCode = v1alpha1.APIKeyScheme{
	In: []v1alpha1.Location{{Header: "Authorization", Prefix: "APPCODE "}, {Header: "X-Ca-AppCode"}, {Query: "AppCode"}},
}

func TestAppCode(t *testing.T) {
	header := func(name, value string) authz.Header { return authz.Header{Name: name, Value: value} }
	type headers = []authz.Header
	for name, tc := range map[string]struct {
		headers headers
		query   string
		strip   []string     // what does not go upstream; nil: refused
		refused authz.Reason // why
	}{
		"Authorization":      {headers: headers{header("authorization", "APPCODE "+good)}, strip: []string{"authorization"}},
		"in any case":        {headers: headers{header("authorization", "AppCode  "+good)}, strip: []string{"authorization"}},
		"X-Ca-AppCode":       {headers: headers{header("x-ca-appcode", good)}, strip: []string{"x-ca-appcode"}},
		"query":              {query: "a=b&AppCode=" + good, strip: []string{"?AppCode"}},
		"all three":          {headers: headers{header("authorization", "APPCODE "+good), header("x-ca-appcode", good)}, query: "AppCode=" + good, strip: []string{"authorization", "x-ca-appcode", "?AppCode"}},
		"beside a signature": {headers: headers{header("x-ca-key", "203753385"), header("x-ca-signature", "AAAA"), header("x-ca-appcode", good)}, strip: []string{"x-ca-appcode"}},
		"two different":      {headers: headers{header("x-ca-appcode", good)}, query: "AppCode=" + unknown, refused: authz.ReasonAmbiguousCredential},
		"unknown":            {headers: headers{header("x-ca-appcode", unknown)}, refused: authz.ReasonUnknownKey},
		"empty":              {headers: headers{header("authorization", "APPCODE")}, refused: authz.ReasonMalformedCredential},
		"glued":              {headers: headers{header("authorization", "APPCODE"+good)}, refused: authz.ReasonNoCredential},
		"another scheme":     {headers: headers{header("authorization", "Bearer "+good)}, refused: authz.ReasonNoCredential},
		"in lower case":      {query: "appcode=" + good, refused: authz.ReasonNoCredential},
		"none":               {refused: authz.ReasonNoCredential},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := open(t, appCode)
			r := &authz.Request{Now: now, Deadline: time.Now().Add(time.Hour), Query: tc.query, Headers: tc.headers}
			p, stripped, err := admit(a, r)
			switch {
			case err == nil && (tc.strip == nil || p.App != "shop/acme"), err != nil && (tc.strip != nil || authz.ReasonOf(err) != tc.refused):
				t.Errorf("got %+v, %v, want %v", p, err, tc.refused)
			default:
				if diff := cmp.Diff(tc.strip, stripped); diff != "" {
					t.Errorf("stripped (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// admit authenticates, and names what is stripped from the request: headers, and parameters with a '?'.
func admit(a authz.Authenticator, r *authz.Request) (*authz.Principal, []string, error) {
	c, err := a.Extract(r)
	if err != nil {
		return nil, nil, err
	}
	p, err := a.Verify(context.Background(), r, c)
	if err != nil {
		return nil, nil, err
	}
	var m authz.Mutation
	c.Strip(r, &m)
	stripped := m.Remove
	for _, param := range m.RemoveParams {
		stripped = append(stripped, "?"+param)
	}
	return p, stripped, nil
}
