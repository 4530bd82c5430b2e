package extauthz

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/postern-auth/postern/internal/authz"
)

// encoded is the response to a decision as Envoy reads it.
func encoded(t testing.TB, r *authz.Request, d *authz.Decision) *authv3.CheckResponse {
	t.Helper()
	b, err := appendResponse(nil, r, d)
	if err != nil {
		t.Fatal(err)
	}
	m := &authv3.CheckResponse{}
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func typicalAllow() authz.Decision {
	var m authz.Mutation
	m.SetHeader("x-auth-subject", "app:shop/acme-mobile")
	m.SetHeader("x-auth-app", "shop/acme-mobile")
	m.SetHeader("x-auth-key-id", "shop/acme-mobile/2026-q4")
	m.SetHeader("x-auth-scopes", "orders:read orders:write")
	m.SetHeader("x-auth-scheme", "shop/partner-key")
	m.RemoveHeader("x-api-key")
	m.RemoveHeader("x_auth_subject")
	m.RemoveParam("api_key")
	d := authz.Allow(authz.ReasonAuthenticated, m)
	d.Policy, d.Rule, d.Scheme = "shop/orders", "read", "shop/partner-key"
	d.Principal = &authz.Principal{
		Subject: "app:shop/acme-mobile", App: "shop/acme-mobile", KeyID: "shop/acme-mobile/2026-q4",
		Scopes: authz.NewScopes("orders:read", "orders:write"),
	}
	return d
}

func typicalDenial() authz.Decision {
	d := authz.Deny(authz.ReasonUnknownKey, errors.New("for operators"))
	d.Policy, d.Rule, d.Scheme = "shop/orders", "read", "shop/partner-key"
	d.Challenges = []string{`ApiKey realm="shop"`, `Bearer realm="shop"`}
	d.ResponseHeaders = []authz.Header{
		{Name: "accept-signature", Value: `sig1=("@method")`}, {Name: "accept-signature", Value: `sig2=("@path")`},
	}
	return d
}

func TestEncode(t *testing.T) {
	shadow := authz.Allow(authz.ReasonMissingScope, authz.Mutation{Remove: []string{"x-auth-subject"}})
	coded := authz.Deny(authz.ReasonConditionFailed, nil)
	coded.Code = "wrong_org"
	codedElsewhere := authz.Deny(authz.ReasonUnknownKey, nil)
	codedElsewhere.Code = "wrong_org"
	decisions := map[string]authz.Decision{
		"allow": typicalAllow(), "denial": typicalDenial(), "zero": {}, "shadow": shadow,
		"policy's code": coded, "no code but in a 403": codedElsewhere,
		"an allowing reason without authz.Allow": {Reason: authz.ReasonAuthenticated},
	}
	for _, reason := range authz.Reasons() {
		decisions[reason.String()] = authz.Deny(reason, nil)
	}
	requests := map[string]*authz.Request{
		"http":    {ID: "7c9e6679-7425"},
		"grpc":    {ID: "7c9e6679-7425", Headers: []authz.Header{{Name: "content-type", Value: "application/grpc+proto"}}},
		"no id":   {},
		"evil id": {ID: `","status":200,"x":"`},
	}
	for name, d := range decisions {
		for caller, r := range requests {
			t.Run(name+" to "+caller, func(t *testing.T) {
				got := encoded(t, r, &d)
				if diff := cmp.Diff(expectedResponse(r, &d), got, protocmp.Transform()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				ok := got.GetStatus().GetCode() == 0
				denied := got.GetDeniedResponse().GetStatus().GetCode() >= 400
				if ok != d.Allowed() || denied == d.Allowed() {
					t.Errorf("Envoy may take this for another decision than %s: %v", d.Verdict(), got)
				}
			})
		}
	}
}

func TestProblem(t *testing.T) {
	bodies := map[authz.Class]string{}
	for _, reason := range authz.Reasons() {
		if reason.Class() == authz.ClassAllowed {
			continue
		}
		d := authz.Deny(reason, errors.New("a detail"))
		body := encoded(t, &authz.Request{ID: "r-1"}, &d).GetDeniedResponse().GetBody()
		if other, ok := bodies[reason.Class()]; ok && other != body {
			t.Errorf("%s has another body than its class:\n%s\n%s", reason, body, other)
		}
		bodies[reason.Class()] = body
		var p struct {
			Type, Title, Code, RequestID string
			Status                       int
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		class := reason.Class()
		if p.Status != class.HTTPStatus() || p.Code != class.Code() || p.Title != class.Title() || p.RequestID != "r-1" ||
			p.Type != "tag:postern.dev,2026:"+p.Code {
			t.Errorf("body %s", body)
		}
	}
}

// TestEncodeLongCookie sends the rest of a Cookie field from which a credential was taken out: browsers send more than
// what Postern gives a header by itself.
func TestEncodeLongCookie(t *testing.T) {
	rest := strings.Repeat("a", 16<<10)
	r := &authz.Request{Headers: []authz.Header{{Name: "cookie", Value: "session=k1; other=" + rest}}}
	c, err := authz.NewLocations([]authz.Location{{Cookie: "session"}}, false).Find(r)
	if err != nil {
		t.Fatal(err)
	}
	var m authz.Mutation
	c.Strip(r, &m)
	d := authz.Allow(authz.ReasonAuthenticated, m)
	set := encoded(t, r, &d).GetOkResponse().GetHeaders()
	if len(set) != 1 || set[0].GetHeader().GetValue() != "other="+rest {
		t.Errorf("%d headers are set; want the rest of the cookies", len(set))
	}
}

func TestEncodeRefuses(t *testing.T) {
	set := func(name, value string) authz.Decision {
		return authz.Allow(authz.ReasonAuthenticated, authz.Mutation{Set: []authz.Header{{Name: name, Value: value}}})
	}
	challenge := authz.Deny(authz.ReasonNoCredential, nil)
	challenge.Challenges = []string{"Bearer realm=\"a\r\nset-cookie: x=y\""}
	subject := authz.Allow(authz.ReasonAuthenticated, authz.Mutation{})
	subject.Principal = &authz.Principal{Subject: "a\xff"}
	tests := map[string]struct {
		d    authz.Decision
		want string
	}{
		"CR LF":             {set("x-auth-subject", "a\r\nb: c"), `the value for header "x-auth-subject" holds a control character`},
		"NUL":               {set("x-auth-subject", "a\x00"), `the value for header "x-auth-subject" holds a control character`},
		"next line of C1":   {set("x-auth-subject", "a\u0085b"), `the value for header "x-auth-subject" holds a control character`},
		"over 4 KiB":        {set("x-auth-app", strings.Repeat("a", 4097)), `the value for header "x-auth-app" is longer than 4 KiB`},
		"space in front":    {set("x-auth-subject", " admin"), `the value for header "x-auth-subject" begins or ends with a space`},
		"tab behind":        {set("x-auth-subject", "admin\t"), `the value for header "x-auth-subject" begins or ends with a space`},
		"not UTF-8":         {set("x-auth-subject", "a\xff"), "a string of 2 bytes is not valid UTF-8"},
		"no header name":    {set("", "a"), "a header name of 0 bytes is not a token"},
		"pseudo-header":     {set(":path", "/"), "a header name of 5 bytes is not a token"},
		"challenge":         {challenge, `the value for header "www-authenticate" holds a control character`},
		"subject not UTF-8": {subject, "a string of 2 bytes is not valid UTF-8"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := appendResponse(nil, &authz.Request{}, &tt.d); err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	fine := set("x-auth-subject", strings.Repeat("ü", 2048))
	if _, err := appendResponse(nil, &authz.Request{}, &fine); err != nil {
		t.Error(err)
	}
}

func FuzzEncode(f *testing.F) {
	f.Add(true, uint8(1), "x-auth-subject", "app:shop/acme", "shop/orders", "a b", "api_key", "Bearer", "id", false)
	f.Add(false, uint8(9), "accept-signature", "ü\x85", "shop/orders", "a", "x", "ApiKey realm=\"a\"", "\"", true)
	f.Add(true, uint8(30), "X", "a\nb", "", "", "", "", "", true)
	f.Fuzz(func(t *testing.T, allow bool, reason uint8, name, value, policy, scopes, param, challenge, id string, grpc bool) {
		r := &authz.Request{ID: id}
		if grpc {
			r.Headers = []authz.Header{{Name: "content-type", Value: "application/grpc"}}
		}
		d := authz.Deny(authz.Reason(reason), nil)
		if allow {
			d = authz.Allow(authz.Reason(reason), authz.Mutation{
				Set: []authz.Header{{Name: name, Value: value}}, Remove: []string{policy, param}, RemoveParams: []string{param},
			})
		}
		d.Policy, d.Rule, d.Scheme, d.Code = policy, param, challenge, scopes
		d.Challenges = []string{challenge, challenge}
		d.ResponseHeaders = []authz.Header{{Name: name, Value: value}, {Name: name, Value: value}}
		d.Principal = &authz.Principal{Subject: value, App: policy, KeyID: param, Scopes: authz.NewScopes(scopes, value)}
		b, err := appendResponse(nil, r, &d)
		if (err == nil) != sendable(&d) {
			t.Fatalf("error %v for %+v", err, d)
		}
		if err != nil {
			return
		}
		var got authv3.CheckResponse
		if err := proto.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if want := expectedResponse(r, &d); !proto.Equal(want, &got) {
			t.Fatalf("got %v, want %v", &got, want)
		}
	})
}
