package extauthz

import (
	"fmt"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/authz"
)

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
	f.Add(marshal(f, httpRequest(func(h *httpAttributes) {
		h.HeaderMap, h.RawBody, h.Size = headerMap(":path", "/", "content-length", "3", "x", "\xff"), []byte("abc"), 3
	})))
	list := &structpb.ListValue{Values: []*structpb.Value{structpb.NewBoolValue(true), structpb.NewNumberValue(1)}}
	metadata := httpRequest(nil)
	metadata.Attributes.RouteMetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"a": {
		Fields: map[string]*structpb.Value{"l": structpb.NewListValue(list), "n": structpb.NewNullValue()},
	}}}
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

// drawRequest makes a CheckRequest of awkward parts.
func drawRequest(t *rapid.T) *authv3.CheckRequest {
	one := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	name := rapid.SampledFrom([]string{
		"a", "A", "x-request-id", "X-Request-Id", "host", "Host", ":path", ":authority", ":method", ":scheme", ":status",
		"content-length", "x-envoy-auth-partial-body", "cookie", "bad name", "", "x_y.z", "\u212a",
	})
	value := rapid.SampledFrom([]string{
		"", " v\t", "1", "3", "true", "/", "/p?q=1", "GET", "https", "shop.test", "a,b", "x\ny", "\u00fc", "\x00",
	})
	text := rapid.SampledFrom([]string{"", "a", "a.b", "b"})
	m := httpRequest(func(h *httpAttributes) {
		h.Id, h.Method, h.Host = one("id", "", "7"), one("method", "GET", "POST", ""), one("host", "shop.test", "")
		h.Path, h.Scheme = one("path", "/", "/p?q=1", "", "?", "/?a?b"), one("scheme", "https", "")
		h.Protocol, h.Size = one("protocol", "HTTP/2", ""), rapid.Int64Range(-1, 4).Draw(t, "size")
		h.Query, h.Fragment = one("query", "", "", "", "", "q"), one("fragment", "", "", "", "", "f")
		h.Body, h.RawBody = one("body", "", "abc"), []byte(one("raw", "", "a\xff"))
		h.Headers = rapid.MapOfN(name, value, 0, 4).Draw(t, "headers")
		for n, v := range rapid.MapOfN(name, value, 0, 2).Draw(t, "raw headers") {
			h.HeaderMap = headerMap(n, v, "b", "\xfe")
		}
	})
	m.Attributes.Source = &peerAttributes{
		Address: rapid.SampledFrom([]*corev3.Address{
			nil, {}, socketAddress("10.0.0.1", 70000), socketAddress("", 0), pipeAddress("/sock"),
		}).Draw(t, "source"),
		Principal: text.Draw(t, "principal"), Certificate: text.Draw(t, "certificate"),
	}
	m.Attributes.ContextExtensions = rapid.MapOfN(text, text, 0, 3).Draw(t, "extensions")
	m.Attributes.TlsSession = &authv3.AttributeContext_TLSSession{Sni: text.Draw(t, "sni")}
	leaf := rapid.SampledFrom([]*structpb.Value{
		{}, structpb.NewNullValue(), structpb.NewNumberValue(1e21), structpb.NewBoolValue(false), structpb.NewStringValue("s"),
	})
	inner := rapid.Map(structOf(text, leaf), structpb.NewStructValue)
	outer := structOf(text, rapid.OneOf(leaf, inner))
	m.Attributes.RouteMetadataContext = &corev3.Metadata{FilterMetadata: rapid.MapOfN(text, outer, 0, 2).Draw(t, "metadata")}
	return m
}

func structOf(names *rapid.Generator[string], values *rapid.Generator[*structpb.Value]) *rapid.Generator[*structpb.Struct] {
	return rapid.Map(rapid.MapOfN(names, values, 0, 3), func(fields map[string]*structpb.Value) *structpb.Struct {
		return &structpb.Struct{Fields: fields}
	})
}
