package status

import (
	"fmt"
	"testing"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// BenchmarkLoad is what a load costs a leader before anything is written: 10,000 policies of which one has changed.
func BenchmarkLoad(b *testing.B) {
	var s State
	for i := range 10_000 {
		s.Objects = append(s.Objects, Object{
			Kind: v1alpha1.KindAuthPolicy, Namespace: "shop", Name: fmt.Sprint("p", i),
			UID: "1", Generation: 1, ResourceVersion: fmt.Sprint(i + 1),
		})
	}
	l := (&ledger{}).next(s)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		s.Objects[0].Generation++
		s.Objects[0].ResourceVersion = fmt.Sprint(20_000 + n)
		l = l.next(s)
		makePlan(l, []versions{l.inForce, l.inForce, l.inForce})
	}
}
