package signature

import (
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// BenchmarkListing is Extract and Verify with HMAC of what schemes require by default, without a body and with one of
// 1 KiB.
func BenchmarkListing(b *testing.B) {
	for _, p := range listings {
		q := listingOrder(b, p)
		q.Method, q.Body = "GET", nil
		small := signed(b, q)
		q.Method, q.Body = "POST", make([]byte, 1<<10)
		large := signed(b, q)
		s := newListingScheme(b, p, func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = always{} })
		b.Run(string(p)+"/none", func(b *testing.B) { benchmarkListing(b, s, small) })
		b.Run(string(p)+"/1KiB", func(b *testing.B) { benchmarkListing(b, s, large) })
	}
}

func benchmarkListing(b *testing.B, s *scheme, r *authz.Request) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := check(s, r); err != nil {
			b.Fatal(err)
		}
	}
}
