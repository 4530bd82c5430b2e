package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// message is a CheckRequest in protobuf's encoding with holes, each a text of fixed length that every request has
// another one in. Filling a hole costs a copy, so that the generator takes little of the machine.
type message struct {
	bytes []byte
	holes map[string][]hole // by the placeholder
}

type hole struct{ start, end int }

// newMessage encodes a request for a path with the headers given beside the usual ones. Placeholders may stand
// anywhere, in several places too.
func newMessage(host, path string, headers [][2]string, placeholders ...string) (*message, error) {
	data, err := proto.Marshal(checkRequest("GET", host, path, headers, nil))
	if err != nil {
		return nil, err
	}
	m := &message{bytes: data, holes: map[string][]hole{}}
	for _, p := range placeholders {
		for at := 0; ; {
			i := bytes.Index(data[at:], []byte(p))
			if i < 0 {
				break
			}
			m.holes[p] = append(m.holes[p], hole{at + i, at + i + len(p)})
			at += i + len(p)
		}
		if m.holes[p] == nil {
			return nil, fmt.Errorf("the placeholder %.20s… does not stand in the message", p)
		}
	}
	return m, nil
}

// fill puts text into the placeholder's holes. Both have the same length.
func (m *message) fill(placeholder, text string) {
	if len(text) != len(placeholder) {
		panic(fmt.Sprintf("%d bytes for a hole of %d", len(text), len(placeholder)))
	}
	for _, h := range m.holes[placeholder] {
		copy(m.bytes[h.start:h.end], text)
	}
}

// placeholder returns a text of n bytes that stands nowhere else in a message.
func placeholder(c string, n int) string { return strings.Repeat(c, n) }

// accepted is the Accept of every message.
const accepted = "application/json, text/plain, */*"

// checkRequest is what Envoy sends with encode_raw_headers for a browser's API call.
func checkRequest(method, host, path string, headers [][2]string, body []byte) *authv3.CheckRequest {
	list := [][2]string{
		{":authority", host}, {":path", path}, {":method", method}, {":scheme", "https"},
		{"user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"},
		{"accept", accepted}, {"accept-encoding", "gzip, deflate, br, zstd"},
		{"accept-language", "en-GB,en;q=0.9,de;q=0.8"}, {"cache-control", "no-cache"},
		{"cookie", "theme=dark; consent=yes; visitor=1234567890.1700000000"},
		{"origin", "https://shop.example.com"}, {"referer", "https://shop.example.com/account/orders"},
		{"priority", "u=1, i"}, {"sec-fetch-dest", "empty"}, {"sec-fetch-mode", "cors"}, {"sec-fetch-site", "same-site"},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		{"x-forwarded-proto", "https"}, {"x-request-id", "7c9e6679-7425-40de-944b-e07fc1f90ae7"},
	}
	if body != nil {
		headers = append(headers, [2]string{"content-length", strconv.Itoa(len(body))})
	}
	raw := &corev3.HeaderMap{}
	for _, h := range append(list, headers...) {
		raw.Headers = append(raw.Headers, &corev3.HeaderValue{Key: h[0], RawValue: []byte(h[1])})
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:      &authv3.AttributeContext_Peer{Address: address("203.0.113.7", 54321)},
		Destination: &authv3.AttributeContext_Peer{Address: address("10.0.0.5", 8443)},
		Request: &authv3.AttributeContext_Request{
			Time: &timestamppb.Timestamp{Seconds: 1_795_000_000, Nanos: 123_456_000},
			Http: &authv3.AttributeContext_HttpRequest{
				Id: "12345678901234567890", Method: method, Path: path, Host: host, Scheme: "https", Protocol: "HTTP/2",
				HeaderMap: raw, RawBody: body, Size: int64(len(body)),
			},
		},
		MetadataContext:      &corev3.Metadata{},
		RouteMetadataContext: &corev3.Metadata{},
	}}
}

func address(ip string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}
