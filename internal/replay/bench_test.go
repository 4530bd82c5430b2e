package replay

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkRedis measures a question, one at a time and from many sides, to a real server on this machine.
func BenchmarkRedis(b *testing.B) {
	m := startValkey(b, "--maxmemory", "0").openAged(b)
	var n atomic.Int64
	question := func(b *testing.B) {
		at := time.Now()
		first, err := m.First(context.Background(), numbered(int(n.Add(1))), at.Add(-time.Minute), at.Add(time.Minute))
		if !first || err != nil {
			b.Fatal(first, err)
		}
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			question(b)
		}
	})
	b.Run("many", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				question(b)
			}
		})
	})
}
