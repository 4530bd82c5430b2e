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
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"pgregory.net/rapid"

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
	m := httpRequest(func(h *authv3.AttributeContext_HttpRequest) {
		h.RawBody = []byte{0xff, 0}
		h.HeaderMap = headerMap("cookie", " a=1\t", "Cookie", "b=\xff", "x", "", "host", "shop.test", ":path", "/")
		h.HeaderMap.Headers = append(h.HeaderMap.Headers, &corev3.HeaderValue{Key: "text", Value: "as a string"})
	})
	var r authz.Request
	if err := decode(marshal(t, m), &r); err != nil {
		t.Fatal(err)
	}
	want := []authz.Header{{Name: "cookie", Value: "a=1"}, {Name: "cookie", Value: "b=\xff"}, {Name: "x"}, {Name: "text", Value: "as a string"}}
	if diff := cmp.Diff(want, r.Headers); diff != "" || !r.RawHeaders {
		t.Errorf("headers (-want +got), raw %v:\n%s", r.RawHeaders, diff)
	}
	if string(r.Body.Bytes) != "\xff\x00" {
		t.Errorf("body %q", r.Body.Bytes)
	}
}

// TestDecodeMerge sends messages in pieces, as protobuf allows: submessages merge, the last scalar holds.
func TestDecodeMerge(t *testing.T) {
	first := httpRequest(func(h *authv3.AttributeContext_HttpRequest) {
		h.Method, h.Headers = "POST", map[string]string{"a": "1"}
	})
	second := httpRequest(func(h *authv3.AttributeContext_HttpRequest) {
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
	s, err := structpb.NewStruct(map[string]any{"tier": "gold", "n": 1.5, "on": true, "none": nil, "deep": map[string]any{"list": []any{"a", map[string]any{"b": "c"}}}})
	if err != nil {
		t.Fatal(err)
	}
	m := httpRequest(nil)
	m.Attributes.RouteMetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"acme": s}}
	var r authz.Request
	if err := decode(marshal(t, m), &r); err != nil {
		t.Fatal(err)
	}
	want := []authz.Field{{Name: "acme\x00deep.list.0", Value: "a"}, {Name: "acme\x00deep.list.1.b", Value: "c"}, {Name: "acme\x00n", Value: "1.5"}, {Name: "acme\x00on", Value: "true"}, {Name: "acme\x00tier", Value: "gold"}}
	if diff := cmp.Diff(want, sorted(&r).RouteMetadata); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	http := func(edit func(h *authv3.AttributeContext_HttpRequest)) []byte { return marshal(t, httpRequest(edit)) }
	header := func(name, value string) []byte {
		return http(func(h *authv3.AttributeContext_HttpRequest) { h.Headers = map[string]string{name: value} })
	}
	metadata := func(value any) []byte {
		v, err := structpb.NewValue(value)
		if err != nil {
			t.Fatal(err)
		}
		m := httpRequest(nil)
		m.Attributes.RouteMetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"ns": {Fields: map[string]*structpb.Value{"k": v}}}}
		return marshal(t, m)
	}
	deep := any("x")
	for range maxMetadataDepth {
		deep = []any{deep}
	}
	wide := make([]any, maxMetadataValues)
	twoPeers := func(second *corev3.Address) []byte {
		piece := func(a *corev3.Address) []byte {
			return marshal(t, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Source: &authv3.AttributeContext_Peer{Address: a}}})
		}
		return append(piece(socketAddress("10.0.0.1", 1)), piece(second)...)
	}
	tests := []struct {
		name    string
		message []byte
		want    string
	}{
		{"truncated", http(nil)[:9], "malformed_request: the message is not valid protobuf"},
		{"field number zero", []byte{0, 0}, "malformed_request: the message is not valid protobuf"},
		{"field number too large", protowire.AppendVarint(protowire.AppendVarint(nil, uint64(protowire.MaxValidNumber+1)<<3), 1), "malformed_request: the message is not valid protobuf"},
		{"end of no group", protowire.AppendTag(nil, 1, protowire.EndGroupType), "malformed_request: the message is not valid protobuf"},
		{"method not UTF-8", brokenText(t, "GET", "G\xffT"), "malformed_request: a string is not valid UTF-8"},
		{"header not UTF-8", brokenText(t, "probe", "pro\xffe"), "malformed_request: a string is not valid UTF-8"},
		{"too many headers", http(func(h *authv3.AttributeContext_HttpRequest) {
			h.HeaderMap = headerMap(slices.Repeat([]string{"a", ""}, MaxHeaders+1)...)
		}),
			"malformed_request: there are more than 1000 header fields, or more than 256 KiB of them"},
		{"too large headers", header("a", strings.Repeat("a", MaxHeaderBytes)), "malformed_request: there are more than 1000 header fields, or more than 256 KiB of them"},
		{"space in name", header("a b", ""), "malformed_request: a header name is not a token"},
		{"empty name", header("", ""), "malformed_request: a header name is not a token"},
		{"letter that folds to ASCII", header("x-\u212aey", ""), "malformed_request: a header name is not a token"},
		{"LF in value", header("a", "b\nc"), "malformed_request: a header value holds NUL, CR or LF"},
		{"CR in value", header("a", "b\rc"), "malformed_request: a header value holds NUL, CR or LF"},
		{"NUL in value", header("a", "b\x00c"), "malformed_request: a header value holds NUL, CR or LF"},
		{"other path", header(":path", "/other"), "malformed_request: a pseudo-header contradicts the request's method, path or scheme"},
		{"other method", header(":method", "PUT"), "malformed_request: a pseudo-header contradicts the request's method, path or scheme"},
		{"other scheme", header(":scheme", "gopher"), "malformed_request: a pseudo-header contradicts the request's method, path or scheme"},
		{"other authority", header(":authority", "evil.test"), "ambiguous_host: the request names two hosts"},
		{"other host", header("Host", "evil.test"), "ambiguous_host: the request names two hosts"},
		{"two paths", http(func(h *authv3.AttributeContext_HttpRequest) { h.HeaderMap = headerMap(":path", "/x", ":path", "/") }),
			"malformed_request: a pseudo-header contradicts the request's method, path or scheme"},
		{"two hosts", http(func(h *authv3.AttributeContext_HttpRequest) {
			h.HeaderMap = headerMap("host", "evil.test", "host", "shop.test")
		}), "ambiguous_host: the request names two hosts"},
		{"two authorities", http(func(h *authv3.AttributeContext_HttpRequest) {
			h.HeaderMap = headerMap(":authority", "evil.test", ":authority", "shop.test")
		}), "ambiguous_host: the request names two hosts"},
		{"headers and header_map", http(func(h *authv3.AttributeContext_HttpRequest) {
			h.HeaderMap, h.Headers = headerMap("a", "b"), map[string]string{"a": "b"}
		}), "malformed_request: both headers and header_map are set"},
		{"value and raw_value", http(func(h *authv3.AttributeContext_HttpRequest) {
			h.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "a", Value: "b", RawValue: []byte("c")}}}
		}), "malformed_request: value and raw_value of a header differ"},
		{"body and raw_body", http(func(h *authv3.AttributeContext_HttpRequest) { h.Body, h.RawBody = "a", []byte("a") }), "malformed_request: both body and raw_body are set"},
		{"query", http(func(h *authv3.AttributeContext_HttpRequest) { h.Query = "a=b" }), "malformed_request: query or fragment is set beside path"},
		{"fragment", http(func(h *authv3.AttributeContext_HttpRequest) { h.Fragment = "top" }), "malformed_request: query or fragment is set beside path"},
		{"content-length", header("content-length", "many"), "malformed_request: content-length is not one decimal number"},
		{"context extensions", func() []byte {
			m := httpRequest(nil)
			m.Attributes.ContextExtensions = map[string]string{}
			for i := range maxExtensions + 1 {
				m.Attributes.ContextExtensions[fmt.Sprint(i)] = ""
			}
			return marshal(t, m)
		}(), "malformed_request: there are more than 64 context_extensions"},
		{"address twice", twoPeers(socketAddress("10.0.0.2", 2)), "malformed_request: a peer has two addresses"},
		{"address and pipe", twoPeers(&corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/p"}}}), "malformed_request: a peer has two addresses"},
		{"deep metadata", metadata(deep), "malformed_request: route metadata is deeper than 16 levels or has more than 256 values"},
		{"wide metadata", metadata(wide), "malformed_request: route metadata is deeper than 16 levels or has more than 256 values"},
		{"colliding metadata", metadata(map[string]any{"a.b": "1", "a": map[string]any{"b": "2"}}), "malformed_request: route metadata gives a name or a kind of value twice"},
		{"repeated metadata", append(metadata("1"), metadata("2")...), "malformed_request: route metadata gives a name or a kind of value twice"},
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

// TestDecodeAgrees compares decode with the generated types on messages made of awkward parts.
func TestDecodeAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := proto.Marshal(drawRequest(t))
		if err != nil {
			t.Fatal(err)
		}
		if problem := disagreement(b); problem != "" {
			t.Fatal(problem)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(marshal(f, typicalRequest()))
	f.Add(marshal(f, httpRequest(func(h *authv3.AttributeContext_HttpRequest) {
		h.HeaderMap, h.RawBody, h.Size = headerMap(":path", "/", "content-length", "3", "x", "\xff"), []byte("abc"), 3
	})))
	metadata := httpRequest(nil)
	metadata.Attributes.RouteMetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"a": {Fields: map[string]*structpb.Value{
		"l": structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewBoolValue(true), structpb.NewNumberValue(1)}}),
		"s": structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"n": structpb.NewNullValue()}}),
	}}}}
	f.Add(marshal(f, metadata))
	f.Fuzz(func(t *testing.T, b []byte) {
		if problem := disagreement(b); problem != "" {
			t.Fatal(problem)
		}
	})
}

// disagreement says where decode and the generated types differ on a message, "" if nowhere.
func disagreement(b []byte) string {
	var got authz.Request
	err := decode(b, &got)
	var m authv3.CheckRequest
	if protoErr := proto.Unmarshal(trim(requestFields, b), &m); protoErr != nil {
		if err == nil {
			return fmt.Sprintf("accepted what protobuf refuses: %v", protoErr)
		}
		return ""
	}
	want, wantErr := expected(&m)
	if err == nil { // it may be refused for how it is written: entries and kinds given twice
		if wantErr != nil {
			return fmt.Sprintf("accepted %v", &m)
		}
		for _, h := range want.Headers {
			if !slices.Contains(got.Headers, h) {
				return fmt.Sprintf("header %v is missing from %v", h, got.Headers)
			}
		}
		if len(got.Headers) == len(want.Headers) {
			if diff := cmp.Diff(sorted(want), sorted(&got)); diff != "" {
				return "(-want +got):\n" + diff
			}
		}
	}
	// Written by protobuf itself, it is read exactly as meant.
	again, marshalErr := proto.Marshal(&m)
	if marshalErr != nil {
		return marshalErr.Error()
	}
	got = authz.Request{}
	if err := decode(again, &got); (err == nil) != (wantErr == nil) {
		return fmt.Sprintf("error %v, want %v, for %v", err, wantErr, &m)
	} else if err != nil {
		return ""
	}
	if diff := cmp.Diff(sorted(want), sorted(&got)); diff != "" {
		return "rewritten (-want +got):\n" + diff
	}
	return ""
}

// httpRequest makes a small CheckRequest.
func httpRequest(edit func(h *authv3.AttributeContext_HttpRequest)) *authv3.CheckRequest {
	h := &authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/", Host: "shop.test", Scheme: "https"}
	if edit != nil {
		edit(h)
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: h}}}
}

func headerMap(namesAndValues ...string) *corev3.HeaderMap {
	m := &corev3.HeaderMap{}
	for pair := range slices.Chunk(namesAndValues, 2) {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: pair[0], RawValue: []byte(pair[1])})
	}
	return m
}

// brokenText marshals a request and then replaces a text in it by another of the same length.
func brokenText(t *testing.T, from, to string) []byte {
	b := marshal(t, httpRequest(func(h *authv3.AttributeContext_HttpRequest) { h.Headers = map[string]string{"x": "probe"} }))
	return []byte(strings.Replace(string(b), from, to, 1))
}

func drawRequest(t *rapid.T) *authv3.CheckRequest {
	one := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	name := rapid.SampledFrom([]string{"a", "A", "x-request-id", "X-Request-Id", "host", "Host", ":path", ":authority", ":method", ":scheme", ":status",
		"content-length", "x-envoy-auth-partial-body", "cookie", "bad name", "", "x_y.z", "\u212a"})
	value := rapid.SampledFrom([]string{"", " v\t", "1", "3", "true", "/", "/p?q=1", "GET", "https", "shop.test", "a,b", "x\ny", "\u00fc", "\x00"})
	m := httpRequest(func(h *authv3.AttributeContext_HttpRequest) {
		h.Id, h.Method, h.Path, h.Host = one("id", "", "7"), one("method", "GET", "POST", ""), one("path", "/", "/p?q=1", "", "?", "/?a?b"), one("host", "shop.test", "")
		h.Scheme, h.Protocol, h.Size = one("scheme", "https", ""), one("protocol", "HTTP/2", ""), rapid.Int64Range(-1, 4).Draw(t, "size")
		h.Query, h.Fragment = one("query", "", "", "", "", "q"), one("fragment", "", "", "", "", "f")
		h.Body, h.RawBody = one("body", "", "abc"), []byte(one("raw", "", "a\xff"))
		h.Headers = rapid.MapOfN(name, value, 0, 4).Draw(t, "headers")
		for n, v := range rapid.MapOfN(name, value, 0, 2).Draw(t, "raw headers") {
			h.HeaderMap = headerMap(n, v, "b", "\xfe")
		}
	})
	text := rapid.SampledFrom([]string{"", "a", "a.b", "b"})
	leaf := rapid.Map(text, func(s string) *structpb.Value {
		switch s {
		case "a":
			return structpb.NewNumberValue(1e21)
		case "b":
			return structpb.NewBoolValue(false)
		}
		return structpb.NewStringValue(s)
	})
	structure := rapid.Map(rapid.MapOfN(text, leaf, 0, 3), func(f map[string]*structpb.Value) *structpb.Struct { return &structpb.Struct{Fields: f} })
	nested := rapid.Map(rapid.MapOfN(text, rapid.OneOf(leaf, rapid.Map(structure, structpb.NewStructValue)), 0, 3), func(f map[string]*structpb.Value) *structpb.Struct { return &structpb.Struct{Fields: f} })
	m.Attributes.RouteMetadataContext = &corev3.Metadata{FilterMetadata: rapid.MapOfN(text, nested, 0, 2).Draw(t, "metadata")}
	m.Attributes.ContextExtensions = rapid.MapOfN(text, text, 0, 3).Draw(t, "extensions")
	m.Attributes.TlsSession = &authv3.AttributeContext_TLSSession{Sni: text.Draw(t, "sni")}
	m.Attributes.Source = &authv3.AttributeContext_Peer{Address: rapid.SampledFrom([]*corev3.Address{nil, {}, socketAddress("10.0.0.1", 70000), socketAddress("", 0),
		{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/sock"}}}}).Draw(t, "source"), Principal: text.Draw(t, "principal"), Certificate: text.Draw(t, "certificate")}
	return m
}
