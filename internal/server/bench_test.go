package server

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// manyApps writes n Apps with one key each, a thousand a file.
func manyApps(n int) map[string]string {
	files := map[string]string{"policies.yaml": `
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: key, namespace: shop}
spec: {apiKey: {}}
---
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: orders, namespace: shop}
spec: {hosts: [shop.test], security: [{key: []}]}
`}
	for first := 0; first < n; first += 1000 {
		var b strings.Builder
		for i := first; i < min(first+1000, n); i++ {
			fmt.Fprintf(&b, `---
apiVersion: postern.dev/v1alpha1
kind: App
metadata: {name: app-%d, namespace: shop, labels: {tier: partner}}
spec:
  displayName: Partner %d
  scopes: [orders:read, orders:write]
  credentials:
  - name: 2026-q4
    apiKey: {digest: "sha256:%x"}
    expiresAt: 2099-01-31T00:00:00Z
`, i, i, sha256.Sum256(fmt.Append(nil, i)))
		}
		files[fmt.Sprintf("apps/%d.yaml", first/1000)] = b.String()
	}
	return files
}

// BenchmarkStart measures the time from New to ready, with as many declared keys.
func BenchmarkStart(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			files := manyApps(n)
			for b.Loop() {
				b.StopTimer()
				i, err := assemble(b, files)
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				i.runUntilReady()
				b.StopTimer()
				i.stop()
				<-i.ended
				b.StartTimer()
			}
		})
	}
}

// BenchmarkReload measures a load of which only a policy has changed.
func BenchmarkReload(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, snap := loaderOf(b, manyApps(n))
			b.ReportAllocs()
			for b.Loop() {
				if r := l.load(snap); len(r.errors) > 0 {
					b.Fatal(r.errors)
				}
			}
		})
	}
}
