package extauthz

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
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
				Headers: options(m.Set), ResponseHeadersToAdd: options(d.ResponseHeaders),
				HeadersToRemove: m.Remove, QueryParametersToRemove: m.RemoveParams,
			}},
		}
	}
	class := d.Reason.Class()
	if class == authz.ClassAllowed {
		class = authz.ClassUnavailable
	}
	var body string
	kind := authz.Header{Name: "grpc-status", Value: strconv.Itoa(class.GRPCStatus())}
	if r.IsGRPC() {
		body = class.Title()
	} else {
		kind = authz.Header{Name: "content-type", Value: "application/problem+json"}
		body = `{"type":"tag:postern.dev,2026:` + class.Code() + `","title":"` + class.Title() +
			`","status":` + strconv.Itoa(class.HTTPStatus()) + `,"code":"`
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
	denied := options(headers)
	for _, c := range d.Challenges {
		denied = append(denied, &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: "www-authenticate", Value: c}})
	}
	return &authv3.CheckResponse{
		Status: &statuspb.Status{Code: int32(class.GRPCStatus())}, DynamicMetadata: facts,
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(class.HTTPStatus())},
			Headers: append(denied, options(d.ResponseHeaders)...), Body: body,
		}},
	}
}

func options(headers []authz.Header) (out []*corev3.HeaderValueOption) {
	names := map[string]int{}
	for _, h := range headers {
		names[h.Name]++
	}
	for _, h := range headers {
		o := &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: h.Name, Value: h.Value}}
		if names[h.Name] == 1 {
			o.Append = wrapperspb.Bool(false) //nolint:staticcheck // versions of Envoy differ in which of the two they obey
			o.AppendAction = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
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
		odd := func(c rune) bool { return !plain(string(c)) }
		if h.Name == "" || strings.ContainsFunc(h.Name, odd) ||
			strings.ContainsFunc(h.Value, control) || len(h.Value) > 4096 && h.Name != "cookie" || h.Value != strings.Trim(h.Value, " \t") {
			return false
		}
		texts = append(texts, h.Value)
	}
	return !slices.ContainsFunc(texts, func(s string) bool { return !utf8.ValidString(s) })
}
