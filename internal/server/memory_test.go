package server

import "testing"

// The collector gets room for at least 64 MiB, and three times the live heap.
func TestCollectorRoom(t *testing.T) {
	for live, want := range map[uint64]int{0: 6400, 8 << 20: 800, 64 << 20: collectAfter, 1 << 30: collectAfter} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d live bytes: %d percent, want %d", live, got, want)
		}
	}
}
