package signature

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestWebhookTampered changes one bit of the body or of a header of the signature, and the request is refused.
func TestWebhookTampered(t *testing.T) {
	kinds := webhookKinds()
	rapid.Check(t, func(rt *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(rt, "kind")
		store := kind.store()
		q := kind.request()
		q.Body = rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(rt, "body")
		if q.Nonce != "" {
			q.Nonce = rapid.StringMatching(`[a-zA-Z0-9_-]{1,16}`).Draw(rt, "id")
		}
		if _, err := check(kind.scheme(t, store, nil), signed(t, q)); err != nil {
			rt.Fatalf("untouched: %v", err)
		}
		r := signed(t, q)
		name := rapid.SampledFrom(append(slices.Clone(kind.headers), "body")).Draw(rt, "part")
		b := slices.Clone(r.Body.Bytes)
		if name != "body" {
			b = []byte(header(r, name))
		}
		bit := rapid.IntRange(0, 8*len(b)-1).Draw(rt, "bit")
		b[bit/8] ^= 1 << (bit % 8)
		if name == "body" {
			r.Body.Bytes = b
		} else {
			setHeader(r, name, string(b))
		}
		if _, err := check(kind.scheme(t, store, nil), r); err == nil {
			rt.Fatalf("%s with bit %d flipped is %q, and accepted", name, bit, b)
		}
	})
}

// BenchmarkWebhook is Extract and Verify, without a body and with one of 1 KiB.
func BenchmarkWebhook(b *testing.B) {
	for _, kind := range webhookKinds() {
		for name, size := range map[string]int{"no body": 0, "1 KiB": 1 << 10} {
			q := kind.request()
			q.Body = make([]byte, size)
			r := signed(b, q)
			s := kind.scheme(b, kind.store(), func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = always{} })
			b.Run(kind.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := check(s, r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
