package extauthz

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/google/go-cmp/cmp"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/postern-auth/postern/internal/authz"
)

// expectedResponse is what appendResponse should write, made of generated types.
func expectedResponse(r *authz.Request, d *authz.Decision) *authv3.CheckResponse {
	facts := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	fact := func(name, value string) {
		if value != "" {
			facts.Fields[name] = structpb.NewStringValue(value)
		}
	}
	fact("decision", d.Verdict())
	fact("reason", d.Reason.String())
	fact("policy", d.Policy)
	fact("rule", d.Rule)
	fact("scheme", d.Scheme)
	if p := d.Principal; p != nil {
		fact("subject", p.Subject)
		fact("app", p.App)
		fact("key_id", p.KeyID)
		list := &structpb.ListValue{}
		for _, s := range p.Scopes.List() {
			list.Values = append(list.Values, structpb.NewStringValue(s))
		}
		if len(list.Values) > 0 {
			facts.Fields["scopes"] = structpb.NewListValue(list)
		}
	}
	if d.Allowed() {
		m := d.Mutation()
		return &authv3.CheckResponse{
			Status: &statuspb.Status{}, DynamicMetadata: facts,
			HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
				Headers: options(m.Set), HeadersToRemove: m.Remove, QueryParametersToRemove: m.RemoveParams, ResponseHeadersToAdd: options(d.ResponseHeaders),
			}},
		}
	}
	class := d.Reason.Class()
	if class == authz.ClassAllowed {
		class = authz.ClassUnavailable
	}
	body, kind := "", authz.Header{Name: "grpc-status", Value: strconv.Itoa(class.GRPCStatus())}
	if r.IsGRPC() {
		body = class.Title()
	} else {
		kind = authz.Header{Name: "content-type", Value: "application/problem+json"}
		body = `{"type":"tag:postern.dev,2026:` + class.Code() + `","title":"` + class.Title() + `","status":` + strconv.Itoa(class.HTTPStatus()) + `,"code":"`
		if class == authz.ClassForbidden && plain(d.Code) {
			body += d.Code
		} else {
			body += class.Code()
		}
		if plain(r.ID) {
			body += `","requestId":"` + r.ID
		}
		body += `"}`
	}
	headers := []authz.Header{kind, {Name: "cache-control", Value: "no-store"}}
	if class == authz.ClassUnavailable {
		headers = append(headers, authz.Header{Name: "retry-after", Value: "1"})
	}
	for _, c := range d.Challenges {
		headers = append(headers, authz.Header{Name: "www-authenticate", Value: c})
	}
	return &authv3.CheckResponse{
		Status: &statuspb.Status{Code: int32(class.GRPCStatus())}, DynamicMetadata: facts,
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode(class.HTTPStatus())}, Headers: append(options(headers), options(d.ResponseHeaders)...), Body: body,
		}},
	}
}

func options(headers []authz.Header) (out []*corev3.HeaderValueOption) {
	for i, h := range headers {
		o := &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: h.Name, Value: h.Value}}
		if !slices.ContainsFunc(headers[:i], func(e authz.Header) bool { return e.Name == h.Name }) {
			o.Append, o.AppendAction = wrapperspb.Bool(false), corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		}
		out = append(out, o)
	}
	return out
}

func plain(s string) bool {
	const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return s != "" && len(s) <= 128 && !strings.ContainsFunc(s, func(c rune) bool { return !strings.ContainsRune(token, c) })
}

// sendable is the rule for what an answer may hold, in the words of its comment.
func sendable(d *authz.Decision) bool {
	texts := append([]string{d.Policy, d.Rule, d.Scheme}, d.Mutation().Remove...)
	texts = append(texts, d.Mutation().RemoveParams...)
	if p := d.Principal; p != nil {
		texts = append(append(texts, p.Subject, p.App, p.KeyID), p.Scopes.List()...)
	}
	headers := slices.Concat(d.ResponseHeaders, d.Mutation().Set)
	if !d.Allowed() {
		for _, c := range d.Challenges {
			headers = append(headers, authz.Header{Name: "www-authenticate", Value: c})
		}
	}
	for _, h := range headers {
		control := func(c rune) bool { return c != '\t' && (c < 0x20 || 0x7f <= c && c <= 0x9f) }
		if strings.ContainsFunc(h.Name, func(c rune) bool { return !plain(string(c)) }) || h.Name == "" || strings.ContainsFunc(h.Value, control) ||
			len(h.Value) > 4096 || h.Value != strings.Trim(h.Value, " \t") {
			return false
		}
		texts = append(texts, h.Value)
	}
	return !slices.ContainsFunc(texts, func(s string) bool { return !utf8.ValidString(s) })
}

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
	d.Principal = &authz.Principal{Subject: "app:shop/acme-mobile", App: "shop/acme-mobile", KeyID: "shop/acme-mobile/2026-q4", Scopes: authz.NewScopes("orders:read", "orders:write")}
	return d
}

func typicalDenial() authz.Decision {
	d := authz.Deny(authz.ReasonUnknownKey, errors.New("for operators"))
	d.Policy, d.Rule, d.Scheme = "shop/orders", "read", "shop/partner-key"
	d.Challenges = []string{`ApiKey realm="shop"`, `Bearer realm="shop"`}
	d.ResponseHeaders = []authz.Header{{Name: "accept-signature", Value: `sig1=("@method")`}, {Name: "accept-signature", Value: `sig2=("@path")`}}
	return d
}

func TestEncode(t *testing.T) {
	shadow := authz.Allow(authz.ReasonMissingScope, authz.Mutation{Remove: []string{"x-auth-subject"}})
	coded := authz.Deny(authz.ReasonConditionFailed, nil)
	coded.Code = "wrong_org"
	codedElsewhere := authz.Deny(authz.ReasonUnknownKey, nil)
	codedElsewhere.Code = "wrong_org"
	decisions := map[string]authz.Decision{
		"allow": typicalAllow(), "denial": typicalDenial(), "zero": {}, "shadow": shadow, "policy's code": coded, "no code but in a 403": codedElsewhere,
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
				denied := got.GetDeniedResponse()
				if allowed := d.Allowed(); allowed != (got.GetStatus().GetCode() == 0) || allowed != (denied == nil) || !allowed && denied.GetStatus().GetCode() < 400 {
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
		if p.Status != reason.Class().HTTPStatus() || p.Code != reason.Class().Code() || p.Title == "" || p.RequestID != "r-1" || !strings.HasSuffix(p.Type, p.Code) {
			t.Errorf("body %s", body)
		}
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
		"over 4 KiB":        {set("x-auth-subject", strings.Repeat("a", 4097)), `the value for header "x-auth-subject" is longer than 4 KiB`},
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
			d = authz.Allow(authz.Reason(reason), authz.Mutation{Set: []authz.Header{{Name: name, Value: value}}, Remove: []string{policy, param}, RemoveParams: []string{param}})
		}
		d.Policy, d.Rule, d.Scheme, d.Code = policy, param, challenge, scopes
		d.Challenges, d.ResponseHeaders = []string{challenge, challenge}, []authz.Header{{Name: name, Value: value}, {Name: name, Value: value}}
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
