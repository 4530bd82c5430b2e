package extauthz

import (
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
)

type (
	httpAttributes = authv3.AttributeContext_HttpRequest
	peerAttributes = authv3.AttributeContext_Peer
)

// typicalRequest is what Envoy 1.40 sends for a browser's API call: the yardstick of tests and benchmarks.
func typicalRequest() *authv3.CheckRequest {
	m := httpRequest(func(h *httpAttributes) {
		h.Id, h.Method, h.Path, h.Host = "12345678901234567890", "GET", "/v1/orders/42?expand=items&page=2", "orders.example.com"
		h.Scheme, h.Protocol = "https", "HTTP/2"
		h.Headers = map[string]string{
			":authority":        "orders.example.com",
			":method":           "GET",
			":path":             "/v1/orders/42?expand=items&page=2",
			":scheme":           "https",
			"accept":            "application/json",
			"accept-encoding":   "gzip, deflate, br, zstd",
			"accept-language":   "en-GB,en;q=0.9,de;q=0.8",
			"cache-control":     "no-cache",
			"cookie":            "_ga=GA1.2.1234567890.1700000000; theme=dark; consent=yes",
			"origin":            "https://shop.example.com",
			"priority":          "u=1, i",
			"referer":           "https://shop.example.com/account/orders",
			"sec-ch-ua-mobile":  "?0",
			"sec-fetch-dest":    "empty",
			"sec-fetch-mode":    "cors",
			"sec-fetch-site":    "same-site",
			"traceparent":       "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			"user-agent":        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
			"x-api-key":         "pk_3mJr7AoUXx2Wqd0bTzYkP5sLh8NfEvGcR1uKi6wQaDy4gtBZ",
			"x-forwarded-for":   "203.0.113.7",
			"x-forwarded-proto": "https",
			"x-request-id":      "7c9e6679-7425-40de-944b-e07fc1f90ae7",
		}
	})
	a := m.Attributes
	a.Source = &peerAttributes{Address: socketAddress("203.0.113.7", 54321)}
	a.Destination = &peerAttributes{Address: socketAddress("10.0.0.5", 8443), Principal: "spiffe://cluster.local/ns/shop/sa/orders"}
	a.ContextExtensions = map[string]string{"postern.dev/policy": "shop/orders"}
	a.MetadataContext = &corev3.Metadata{}
	a.TlsSession = &authv3.AttributeContext_TLSSession{Sni: "orders.example.com"}
	return m
}

// httpRequest makes a small CheckRequest.
func httpRequest(edit func(h *httpAttributes)) *authv3.CheckRequest {
	h := &httpAttributes{Method: "GET", Path: "/", Host: "shop.test", Scheme: "https"}
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

func socketAddress(ip string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func pipeAddress(path string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path}}}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
