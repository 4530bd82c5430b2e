package extauthz

import (
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/postern-auth/postern/internal/authz"
)

func BenchmarkDecode(b *testing.B) {
	message := marshal(b, typicalRequest())
	b.Run("by hand", func(b *testing.B) {
		var r authz.Request
		b.ReportAllocs()
		for b.Loop() {
			r.Reset()
			if err := decode(message, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := proto.Unmarshal(message, &authv3.CheckRequest{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	r := &authz.Request{ID: "7c9e6679-7425-40de-944b-e07fc1f90ae7"}
	for name, d := range map[string]authz.Decision{"allow": typicalAllow(), "deny": typicalDenial()} {
		b.Run(name, func(b *testing.B) {
			buffer := make([]byte, 0, responseSize)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := appendResponse(buffer, r, &d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("generated allow", func(b *testing.B) {
		d := typicalAllow()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := proto.Marshal(expectedResponse(r, &d)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
