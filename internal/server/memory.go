package server

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// A collection costs what is live, and comes whenever so many percent of that have been allocated. A check allocates a
// few kilobytes, nearly all of it in gRPC, so with Go's 100 percent collecting is a tenth of its cost, whatever the heap
// holds. Postern spends memory instead: three times the live heap, and 64 MiB where that is little. GOMEMLIMIT bounds
// it as always; GOGC in the environment overrides it.
const (
	collectAfter   = 300      // percent of the live heap
	collectAtLeast = 64 << 20 // bytes
)

// settleMemory fits the collector to what is live now.
func settleMemory() {
	if os.Getenv("GOGC") != "" {
		return
	}
	runtime.GC()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(gcPercent(live[0].Value.Uint64()))
}

// gcPercent returns how many percent of the live heap may be allocated between two collections.
func gcPercent(live uint64) int {
	return int(max(collectAfter, collectAtLeast*100/max(live, 1<<20))) //nolint:gosec // at most 6400
}

// prepareMemory serves until the first resources are read, nearly all of which stay.
func prepareMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAfter)
	}
}
