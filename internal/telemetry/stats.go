package telemetry

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// CacheStats is what a cache tells of itself. The counts never fall.
type CacheStats struct {
	Hits, Misses uint64
	Dropped      uint64 // values that were not taken
	Bytes        int64
	MaxBytes     int64
}

// KeySetStats is what a set of token keys tells of itself. The counts never fall.
type KeySetStats struct {
	Source            string // where it is fetched from
	Fetches, Failures uint64 // attempts, and those of them that failed
	Keys              int
	LastSuccess       time.Time // zero: never
}

// ReplayStats is what the memory of used signatures tells of itself. The counts never fall.
type ReplayStats struct {
	Keys     int    // remembered
	Capacity int    // 0: not known, and neither is Keys
	Repeats  uint64 // signatures that came again
	Refused  uint64 // signatures that could not be remembered
}

// StatusStats is what is known of the statuses that this replica has written to a Kubernetes cluster. The counts never
// fall.
type StatusStats struct {
	Leader              bool // this replica is the one that writes
	Written             uint64
	Conflicts, Failures uint64 // writes that are tried again: somebody else was faster, or something else was wrong
}

// stats asks other packages for their figures when Prometheus scrapes.
type stats struct {
	mu      sync.Mutex
	caches  map[string]func() CacheStats
	keySets func() []KeySetStats
	replay  func() ReplayStats
	panics  func() uint64

	statuses func() StatusStats
}

// RegisterCache shows a cache's figures under its name.
func (t *Telemetry) RegisterCache(name string, read func() CacheStats) {
	t.stats.mu.Lock()
	defer t.stats.mu.Unlock()
	if t.stats.caches == nil {
		t.stats.caches = map[string]func() CacheStats{}
	}
	t.stats.caches[name] = read
}

// RegisterKeySets shows the figures of the sets of token keys.
func (t *Telemetry) RegisterKeySets(read func() []KeySetStats) {
	t.stats.mu.Lock()
	defer t.stats.mu.Unlock()
	t.stats.keySets = read
}

// RegisterReplay shows the figures of the memory of used signatures.
func (t *Telemetry) RegisterReplay(read func() ReplayStats) {
	t.stats.mu.Lock()
	defer t.stats.mu.Unlock()
	t.stats.replay = read
}

// RegisterPanics shows how many checks ended in a panic.
func (t *Telemetry) RegisterPanics(read func() uint64) {
	t.stats.mu.Lock()
	defer t.stats.mu.Unlock()
	t.stats.panics = read
}

// RegisterStatuses shows the figures of statuses.
func (t *Telemetry) RegisterStatuses(read func() StatusStats) {
	t.stats.mu.Lock()
	defer t.stats.mu.Unlock()
	t.stats.statuses = read
}

func plainDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("postern_"+name, help, nil, nil)
}

func cacheDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("postern_cache_"+name, help, []string{"cache"}, nil)
}

func keySetDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("postern_keyset_"+name, help, []string{"source"}, nil)
}

var (
	cacheHits     = cacheDesc("hits_total", "Look-ups that found something.")
	cacheMisses   = cacheDesc("misses_total", "Look-ups that found nothing.")
	cacheDropped  = cacheDesc("dropped_total", "Values that were not taken because too many came at once.")
	cacheBytes    = cacheDesc("bytes", "Memory that the entries take.")
	cacheMaxBytes = cacheDesc("max_bytes", "Memory that the entries may take.")

	keySetKeys     = keySetDesc("keys", "Keys in the set.")
	keySetFetched  = keySetDesc("last_fetch_success_timestamp_seconds", "When the set was last fetched well; 0: never.")
	keySetFetches  = keySetDesc("fetches_total", "Attempts to fetch the set.")
	keySetFailures = keySetDesc("fetch_failures_total", "Attempts to fetch the set that failed.")

	replayEntries    = plainDesc("replay_entries", "Signatures remembered so that they count once; absent where Redis holds them.")
	replayMaxEntries = plainDesc("replay_max_entries", "How many signatures can be remembered; absent where Redis holds them.")
	replayRepeats    = plainDesc("replay_repeats_total", "Signatures that came again.")
	replayRefused    = plainDesc("replay_refused_total", "Signatures that could not be remembered; their requests were answered 503.")

	leader       = plainDesc("leader", "1 where this replica is the one that writes statuses; absent without Kubernetes.")
	statusWrites = prometheus.NewDesc("postern_status_writes_total",
		"Statuses written to Kubernetes by result: success, conflict and failure, which are tried again.", []string{"result"}, nil)

	panics = plainDesc("panics_total", "Checks that ended in a panic and were answered 503.")
)

// Describe implements [prometheus.Collector].
func (*stats) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		cacheHits, cacheMisses, cacheDropped, cacheBytes, cacheMaxBytes,
		keySetKeys, keySetFetched, keySetFetches, keySetFailures,
		replayEntries, replayMaxEntries, replayRepeats, replayRefused, panics, leader, statusWrites,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (s *stats) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	for name, read := range s.caches {
		c := read()
		send(cacheHits, counter, float64(c.Hits), name)
		send(cacheMisses, counter, float64(c.Misses), name)
		send(cacheDropped, counter, float64(c.Dropped), name)
		send(cacheBytes, gauge, float64(c.Bytes), name)
		send(cacheMaxBytes, gauge, float64(c.MaxBytes), name)
	}
	if s.keySets != nil {
		seen := map[string]bool{} // one repeated series would fail the whole scrape
		for _, k := range s.keySets() {
			if seen[k.Source] {
				continue
			}
			seen[k.Source] = true
			send(keySetKeys, gauge, float64(k.Keys), k.Source)
			send(keySetFetched, gauge, seconds(k.LastSuccess), k.Source)
			send(keySetFetches, counter, float64(k.Fetches), k.Source)
			send(keySetFailures, counter, float64(k.Failures), k.Source)
		}
	}
	if s.replay != nil {
		r := s.replay()
		if r.Capacity > 0 {
			send(replayEntries, gauge, float64(r.Keys))
			send(replayMaxEntries, gauge, float64(r.Capacity))
		}
		send(replayRepeats, counter, float64(r.Repeats))
		send(replayRefused, counter, float64(r.Refused))
	}
	if s.statuses != nil {
		n := s.statuses()
		send(leader, gauge, oneIf(n.Leader))
		send(statusWrites, counter, float64(n.Written), "success")
		send(statusWrites, counter, float64(n.Conflicts), "conflict")
		send(statusWrites, counter, float64(n.Failures), "failure")
	}
	if s.panics != nil {
		send(panics, counter, float64(s.panics()))
	}
}

func seconds(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return float64(at.UnixMilli()) / 1000
}
