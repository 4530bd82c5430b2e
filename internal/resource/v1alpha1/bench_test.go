package v1alpha1_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// manyApps writes n Apps of twelve lines each.
func manyApps(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `---
apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: app-%06d, namespace: shop, labels: {tier: partner}}
spec:
  displayName: Partner %d
  scopes: [orders:read, orders:write]
  attributes: {tenant: t%d}
  credentials:
  - name: 2026-q4
    apiKey: {digest: "sha256:%064x"}
    expiresAt: 2027-01-31T00:00:00Z
`, i, i, i%100, i)
	}
	return b.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			data := manyApps(n)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				docs := v1alpha1.Decode("apps.yaml", data)
				if len(docs) != n || docs[0].Err != nil {
					b.Fatal(len(docs), docs[0].Err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/document")
		})
	}
}
