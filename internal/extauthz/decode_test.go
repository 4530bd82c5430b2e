package extauthz

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/postern-auth/postern/internal/authz"
)

func TestDecodeTypical(t *testing.T) {
	m := typicalRequest()
	var r authz.Request
	if err := decode(marshal(t, m), &r); err != nil {
		t.Fatal(err)
	}
	headers := len(m.Attributes.Request.Http.Headers) - 4 // pseudo-headers
	if len(r.Headers) != headers || r.Path != "/v1/orders/42" || r.Query != "expand=items&page=2" || !r.HasQuery ||
		r.Host != "orders.example.com" || r.ID != "7c9e6679-7425-40de-944b-e07fc1f90ae7" || r.Source.Port != 54321 ||
		r.ContextExtension("postern.dev/policy") != "shop/orders" || r.SNI != "orders.example.com" || r.RawHeaders {
		t.Errorf("decoded %+v", r)
	}
	if err := r.Canonicalize(); err != nil {
		t.Error(err)
	}
}

func TestDecodeRawHeaders(t *testing.T) {
	m := httpRequest(func(h *httpAttributes) {
		h.RawBody = []byte{0xff, 0}
		h.HeaderMap = headerMap("cookie", " a=1\t", "Cookie", "b=\xff", "x", "", "host", "shop.test", ":path", "/")
		h.HeaderMap.Headers = append(h.HeaderMap.Headers, &corev3.HeaderValue{Key: "text", Value: "as a string"})
	})
	var r authz.Request
	if err := decode(marshal(t, m), &r); err != nil {
		t.Fatal(err)
	}
	want := []authz.Header{
		{Name: "cookie", Value: "a=1"}, {Name: "cookie", Value: "b=\xff"}, {Name: "x"}, {Name: "text", Value: "as a string"},
	}
	if diff := cmp.Diff(want, r.Headers); diff != "" || !r.RawHeaders {
		t.Errorf("headers (-want +got), raw %v:\n%s", r.RawHeaders, diff)
	}
	if string(r.Body.Bytes) != "\xff\x00" {
		t.Errorf("body %q", r.Body.Bytes)
	}
}

// TestDecodeMerge sends messages in pieces, as protobuf allows: submessages merge, the last scalar holds.
func TestDecodeMerge(t *testing.T) {
	first := httpRequest(func(h *httpAttributes) {
		h.Method, h.Headers = "POST", map[string]string{"a": "1"}
	})
	second := httpRequest(func(h *httpAttributes) {
		h.Path, h.Headers = "/second", map[string]string{"a": "2"}
	})
	first.Attributes.ContextExtensions = map[string]string{"k": "first"}
	second.Attributes.ContextExtensions = map[string]string{"k": "second"}
	second.Attributes.Source = &authv3.AttributeContext_Peer{Principal: "p"}
	var r authz.Request
	if err := decode(append(marshal(t, first), marshal(t, second)...), &r); err != nil {
		t.Fatal(err)
	}
	if v, n := r.Header("a"); v != "1" || n != 2 {
		t.Errorf("a map entry given twice is %q, %d times; want it to be a repeated field", v, n)
	}
	if r.Method != "GET" || r.Path != "/second" || r.ContextExtension("k") != "second" || r.Source.Principal != "p" {
		t.Errorf("merged %+v", r)
	}
}

func TestDecodeRouteMetadata(t *testing.T) {
	s, err := structpb.NewStruct(map[string]any{
		"tier": "gold", "n": 1.5, "on": true, "none": nil,
		"deep": map[string]any{"list": []any{"a", map[string]any{"b": "c"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := httpRequest(nil)
	m.Attributes.RouteMetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"acme": s}}
	var r authz.Request
	if err := decode(marshal(t, m), &r); err != nil {
		t.Fatal(err)
	}
	want := []authz.Field{
		{Name: "acme\x00deep.list.0", Value: "a"}, {Name: "acme\x00deep.list.1.b", Value: "c"},
		{Name: "acme\x00n", Value: "1.5"}, {Name: "acme\x00on", Value: "true"}, {Name: "acme\x00tier", Value: "gold"},
	}
	if diff := cmp.Diff(want, sorted(&r).RouteMetadata); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Envoy Gateway names the route that it made in a list of one, with annotations and the policies for it.
func TestDecodeEnvoyGatewayMetadata(t *testing.T) {
	object := func(kind, name string) map[string]any {
		return map[string]any{"kind": kind, "name": name, "namespace": "shop"}
	}
	resource := object("HTTPRoute", "orders")
	resource["sectionName"] = "read"
	resource["annotations"] = map[string]any{"gateway.envoyproxy.io/kind": "Gateway"}
	s, err := structpb.NewStruct(map[string]any{"resources": []any{resource}, "policies": []any{object("SecurityPolicy", "authz")}})
	if err != nil {
		t.Fatal(err)
	}
	m := httpRequest(nil)
	m.Attributes.RouteMetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"envoy-gateway": s}}
	var r authz.Request
	if err := decode(marshal(t, m), &r); err != nil {
		t.Fatal(err)
	}
	want := []authz.Field{
		{Name: "envoy-gateway\x00policies.0.kind", Value: "SecurityPolicy"}, {Name: "envoy-gateway\x00policies.0.name", Value: "authz"},
		{Name: "envoy-gateway\x00policies.0.namespace", Value: "shop"},
		{Name: "envoy-gateway\x00resources.0.annotations.gateway.envoyproxy.io/kind", Value: "Gateway"},
		{Name: "envoy-gateway\x00resources.0.kind", Value: "HTTPRoute"}, {Name: "envoy-gateway\x00resources.0.name", Value: "orders"},
		{Name: "envoy-gateway\x00resources.0.namespace", Value: "shop"}, {Name: "envoy-gateway\x00resources.0.sectionName", Value: "read"},
	}
	if diff := cmp.Diff(want, sorted(&r).RouteMetadata); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Texts of what decode refuses.
const (
	notProtobuf   = "malformed_request: the message is not valid protobuf"
	notText       = "malformed_request: a string is not valid UTF-8"
	giantHeaders  = "malformed_request: there are more than 1000 header fields, or more than 256 KiB of them"
	noToken       = "malformed_request: a header name is not a token"
	brokenValue   = "malformed_request: a header value holds NUL, CR or LF"
	contradiction = "malformed_request: a pseudo-header contradicts the request's method, path or scheme"
	twoHosts      = "ambiguous_host: the request names two hosts"
	outsidePath   = "malformed_request: query or fragment is set beside path"
	twoAddresses  = "malformed_request: a peer has two addresses"
	giantMetadata = "malformed_request: route metadata is deeper than 16 levels or has more than 256 values"
	twiceMetadata = "malformed_request: route metadata gives a name or a kind of value twice"
)

func TestDecodeRefuses(t *testing.T) {
	http := func(edit func(h *httpAttributes)) []byte { return marshal(t, httpRequest(edit)) }
	header := func(name, value string) []byte {
		return http(func(h *httpAttributes) { h.Headers = map[string]string{name: value} })
	}
	rawHeaders := func(namesAndValues ...string) []byte {
		return http(func(h *httpAttributes) { h.HeaderMap = headerMap(namesAndValues...) })
	}
	tests := []struct {
		name    string
		message []byte
		want    string
	}{
		{"truncated", http(nil)[:9], notProtobuf},
		{"field number zero", []byte{0, 0}, notProtobuf},
		{"field number too large", []byte{0x80, 0x80, 0x80, 0x80, 0x10, 0}, notProtobuf},
		{"end of no group", []byte{1<<3 | byte(protowire.EndGroupType)}, notProtobuf},
		{"method not UTF-8", brokenText(t, "GET", "G\xffT"), notText},
		{"header not UTF-8", brokenText(t, "probe", "pro\xffe"), notText},
		{"too many headers", rawHeaders(slices.Repeat([]string{"a", ""}, MaxHeaders+1)...), giantHeaders},
		{"too large headers", header("a", strings.Repeat("a", MaxHeaderBytes)), giantHeaders},
		{"space in name", header("a b", ""), noToken},
		{"empty name", header("", ""), noToken},
		{"letter that folds to ASCII", header("x-\u212aey", ""), noToken},
		{"LF in value", header("a", "b\nc"), brokenValue},
		{"CR in value", header("a", "b\rc"), brokenValue},
		{"NUL in value", header("a", "b\x00c"), brokenValue},
		{"other path", header(":path", "/other"), contradiction},
		{"other method", header(":method", "PUT"), contradiction},
		{"other scheme", header(":scheme", "gopher"), contradiction},
		{"other authority", header(":authority", "evil.test"), twoHosts},
		{"other host", header("Host", "evil.test"), twoHosts},
		{"two paths", rawHeaders(":path", "/x", ":path", "/"), contradiction},
		{"two hosts", rawHeaders("host", "evil.test", "host", "shop.test"), twoHosts},
		{"two authorities", rawHeaders(":authority", "evil.test", ":authority", "shop.test"), twoHosts},
		{"headers and header_map", http(func(h *httpAttributes) {
			h.HeaderMap, h.Headers = headerMap("a", "b"), map[string]string{"a": "b"}
		}), "malformed_request: both headers and header_map are set"},
		{"value and raw_value", http(func(h *httpAttributes) {
			h.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "a", Value: "b", RawValue: []byte("c")}}}
		}), "malformed_request: value and raw_value of a header differ"},
		{"body and raw_body", http(func(h *httpAttributes) {
			h.Body, h.RawBody = "a", []byte("a")
		}), "malformed_request: both body and raw_body are set"},
		{"query", http(func(h *httpAttributes) { h.Query = "a=b" }), outsidePath},
		{"fragment", http(func(h *httpAttributes) { h.Fragment = "top" }), outsidePath},
		{"content-length", header("content-length", "many"), "malformed_request: content-length is not one decimal number"},
		{"context extensions", manyExtensions(t), "malformed_request: there are more than 64 context_extensions"},
		{"two addresses", twoPeers(t, socketAddress("10.0.0.2", 2)), twoAddresses},
		{"address and pipe", twoPeers(t, pipeAddress("/p")), twoAddresses},
		{"deep metadata", routeMetadata(t, nested("x", maxMetadataDepth)), giantMetadata},
		{"wide metadata", routeMetadata(t, make([]any, maxMetadataValues)), giantMetadata},
		{"colliding metadata", routeMetadata(t, map[string]any{"a.b": "1", "a": map[string]any{"b": "2"}}), twiceMetadata},
		{"repeated metadata", append(routeMetadata(t, "1"), routeMetadata(t, "2")...), twiceMetadata},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := decode(tt.message, &authz.Request{})
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if authz.ReasonOf(err).Class() != authz.ClassBadRequest {
				t.Errorf("class %v", authz.ReasonOf(err).Class())
			}
		})
	}
}

func manyExtensions(t *testing.T) []byte {
	m := httpRequest(nil)
	m.Attributes.ContextExtensions = map[string]string{}
	for i := range maxExtensions + 1 {
		m.Attributes.ContextExtensions[fmt.Sprint(i)] = ""
	}
	return marshal(t, m)
}

// twoPeers sends the source in two pieces, each with an address.
func twoPeers(t *testing.T, second *corev3.Address) []byte {
	piece := func(a *corev3.Address) []byte {
		return marshal(t, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Source: &peerAttributes{Address: a}}})
	}
	return append(piece(socketAddress("10.0.0.1", 1)), piece(second)...)
}

func routeMetadata(t *testing.T, value any) []byte {
	s, err := structpb.NewStruct(map[string]any{"k": value})
	if err != nil {
		t.Fatal(err)
	}
	m := httpRequest(nil)
	m.Attributes.RouteMetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"ns": s}}
	return marshal(t, m)
}

func nested(v any, depth int) any {
	for range depth {
		v = []any{v}
	}
	return v
}

// brokenText marshals a request and then replaces a text in it by another of the same length.
func brokenText(t *testing.T, from, to string) []byte {
	b := marshal(t, httpRequest(func(h *httpAttributes) { h.Headers = map[string]string{"x": "probe"} }))
	return []byte(strings.Replace(string(b), from, to, 1))
}
