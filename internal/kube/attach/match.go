package attach

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// matcher reads one match of a rule.
//
// A condition of a form that is not known here, or an expression that RE2 does not take, is left out: the match then
// holds for more than was meant. It is unread, and requests that fit it are refused, since whoever configures Envoy may
// know what it means.
type matcher struct {
	v1alpha1.RouteMatch

	unread string // what could not be read; empty: nothing
	never  bool   // no request that gets as far as being matched can fit
}

func (m *matcher) fail(format string, args ...any) {
	if m.unread == "" {
		m.unread = fmt.Sprintf(format, args...)
	}
}

// httpMatch reads a match of an HTTPRoute.
func httpMatch(in *gatewayv1.HTTPRouteMatch) *matcher {
	m := &matcher{}
	m.Method = string(valueOr(in.Method, ""))
	m.httpPath(in.Path)
	for _, h := range in.Headers {
		m.header(string(valueOr(h.Type, gatewayv1.HeaderMatchExact)), string(h.Name), h.Value)
	}
	for _, q := range in.QueryParams {
		kind := string(valueOr(q.Type, gatewayv1.QueryParamMatchExact))
		m.Query = m.value(m.Query, "query parameter", kind, string(q.Name), q.Value)
	}
	return m
}

func (m *matcher) httpPath(in *gatewayv1.HTTPPathMatch) {
	if in == nil {
		in = &gatewayv1.HTTPPathMatch{}
	}
	value := valueOr(in.Value, "/")
	switch kind := valueOr(in.Type, gatewayv1.PathMatchPathPrefix); kind {
	case gatewayv1.PathMatchExact:
		m.exact(value)
	case gatewayv1.PathMatchPathPrefix:
		m.prefix(value)
	case gatewayv1.PathMatchRegularExpression:
		m.regex(value)
	default:
		m.fail("path matches of type %q are not known", kind)
	}
}

func (m *matcher) exact(path string) {
	m.Path = &v1alpha1.PathMatch{Exact: m.canonical(path)}
}

// prefix matches whole segments, and a slash at its end means nothing (HTTPPathMatch).
func (m *matcher) prefix(path string) {
	if path != "/" {
		path = strings.TrimSuffix(path, "/")
	}
	m.Path = &v1alpha1.PathMatch{Prefix: m.canonical(path)}
}

// canonical returns the path in the form that requests are compared in. A request for a path that has none is refused
// before it is matched. Envoy compares what the client sent: a request whose path was written in another way cannot be
// told here from those that the match is for.
func (m *matcher) canonical(path string) string {
	canonical, err := authz.CanonicalPath(path)
	switch {
	case err != nil:
		m.never = true
	case canonical != path:
		m.fail("the path %q is not in canonical form, which is %q", path, canonical)
	}
	return canonical
}

func (m *matcher) regex(text string) {
	if _, err := regexp.Compile(text); err != nil || text == "" {
		m.fail("the path's regular expression %q is not one of RE2", text)
		return
	}
	m.Path = &v1alpha1.PathMatch{Regex: text}
}

// grpcMatch reads a match of a GRPCRoute.
func grpcMatch(in *gatewayv1.GRPCRouteMatch) *matcher {
	m := &matcher{}
	m.grpcMethod(in.Method)
	for _, h := range in.Headers {
		m.header(string(valueOr(h.Type, gatewayv1.GRPCHeaderMatchExact)), string(h.Name), h.Value)
	}
	return m
}

// grpcMethod makes a path of a service and a method, as Envoy Gateway and Istio do: Envoy has no other way to tell
// them. Neither of them asks for POST or for a Content-Type of gRPC, so neither is asked for here.
//
// Where the service or the method is missing, they do not make the same path. Envoy Gateway (internal/gatewayapi/route.go)
// has a service for a prefix that fits without a method too, a method for the end of :path with the query, and compares
// a method's expression without case. Istio (pilot/pkg/config/kube/gateway, createGRPCURIMatch) lets any path follow a
// service's expression. Path is what is meant, Wider what one of them takes besides.
func (m *matcher) grpcMethod(in *gatewayv1.GRPCMethodMatch) {
	if in == nil {
		in = &gatewayv1.GRPCMethodMatch{}
	}
	service, method := valueOr(in.Service, ""), valueOr(in.Method, "")
	kind := valueOr(in.Type, gatewayv1.GRPCMethodMatchExact)
	regex := kind == gatewayv1.GRPCMethodMatchRegularExpression // gets no group of its own, as in Envoy
	wider := ""
	switch {
	case kind != gatewayv1.GRPCMethodMatchExact && !regex:
		m.fail("method matches of type %q are not known", kind)
	case service == "" && method == "":
		m.prefix("/")
	case regex && method == "":
		m.regex("/" + service + "/" + anySegment)
		wider = "/" + service + "/.+"
	case regex && service == "":
		m.regex("/" + anySegment + "/" + method)
		wider = "(?i)/" + anySegment + "/" + method
	case regex:
		m.regex("/" + service + "/" + method)
	case method == "":
		m.Path = &v1alpha1.PathMatch{Prefix: m.canonical("/" + service + "/")} // a method follows
		wider = regexp.QuoteMeta("/" + service)
	case service == "":
		m.regex("/" + anySegment + "/" + regexp.QuoteMeta(method))
		wider = ".*/" + regexp.QuoteMeta(method)
	default:
		m.exact("/" + service + "/" + method)
	}
	if m.Path != nil {
		m.Wider = wider
	}
}

// anySegment is an expression for any segment of a path.
const anySegment = "[^/]+"

func (m *matcher) header(kind, name, value string) {
	m.Headers = m.value(m.Headers, "header", kind, strings.ToLower(name), value)
}

// value adds a header or query parameter. Of several of one name the first counts (HTTPHeaderMatch.Name).
func (m *matcher) value(list []v1alpha1.RouteValueMatch, what, kind, name, value string) []v1alpha1.RouteValueMatch {
	if slices.ContainsFunc(list, func(v v1alpha1.RouteValueMatch) bool { return v.Name == name }) {
		return list
	}
	v := v1alpha1.RouteValueMatch{Name: name, Value: value}
	switch kind {
	case string(gatewayv1.HeaderMatchExact):
	case string(gatewayv1.HeaderMatchRegularExpression):
		if _, err := regexp.Compile(value); err != nil {
			m.fail("the regular expression %q of the %s %s is not one of RE2", value, what, name)
			return list
		}
		v.Regex = true
	default:
		m.fail("matches of type %q, as of the %s %s, are not known", kind, what, name)
		return list
	}
	return append(list, v)
}
