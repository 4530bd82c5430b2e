package telemetry

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// KeyStoreStats is what is known of the database of keys. The counts never fall.
type KeyStoreStats struct {
	Degraded        bool   // the last read failed
	Reads, Failures uint64 // of the database, and those of them that failed
	Stale           uint64 // answers with a key that could not be renewed
	Refused         uint64 // reads that were not made because too many were under way

	Changes, Resyncs uint64    // changes that were followed, and how often everything had to be read anew instead
	LastPoll         time.Time // when changes were last looked for; zero: never
	PollFailures     uint64
	Listening        bool // to notifications

	Expiring []ExpiringKeys // by namespace, those with the most first
	Clashes  int            // Apps that are declared too
	Events   uint64         // that were put on record
}

// ExpiringKeys are how many keys of a namespace are good and will not be for long, with none in their place.
type ExpiringKeys struct {
	Namespace string
	Keys      int64
}

// mostNamespaces is how many namespaces have a series of their own. The keys of all others are counted together.
const (
	mostNamespaces  = 100
	otherNamespaces = "_other"
)

// UsageStats is what counting the use of keys tells of itself. The counts never fall.
type UsageStats struct {
	Keys, Pending     int    // that are counted, and counts that wait to be written
	Lost              uint64 // requests that were not counted
	Written, Failures uint64 // counts that were written, and flushes that failed
}

func keyStoreDesc(name, help string) *prometheus.Desc { return plainDesc("keystore_"+name, help) }

var (
	keyStoreDegraded = keyStoreDesc("degraded", "1 while reads of the database of keys fail.")
	keyStoreReads    = keyStoreDesc("reads_total", "Reads of the database of keys, for credentials that were not cached.")
	keyStoreFailures = keyStoreDesc("read_failures_total", "Reads of the database of keys that failed.")
	keyStoreStale    = keyStoreDesc("stale_answers_total", "Answers with a cached key that could not be renewed.")
	keyStoreRefused  = keyStoreDesc("refused_reads_total", "Reads of the database of keys that were not made because too many were under way.")

	keyStoreChanges      = keyStoreDesc("changes_total", "Changes of keys that other replicas made, as this one has read them.")
	keyStoreResyncs      = keyStoreDesc("resyncs_total", "Times that every cached key was forgotten because changes may have been missed.")
	keyStoreLastPoll     = keyStoreDesc("last_poll_timestamp_seconds", "When changes of keys were last looked for; 0: never.")
	keyStorePollFailures = keyStoreDesc("poll_failures_total", "Times that changes of keys could not be looked for.")
	keyStoreListening    = keyStoreDesc("listening", "1 while PostgreSQL notifies of changes of keys; without, they are polled.")

	keyStoreExpiring = prometheus.NewDesc("postern_keystore_expiring_keys", "Keys in the database that are good and expire within 14 days, of namespaces that have any; without rotated keys and personal access tokens, which are meant to.", []string{"key_namespace"}, nil)
	keyStoreClashes  = keyStoreDesc("clashing_apps", "Apps in the database whose keys are refused because resources declare Apps of the same names.")
	auditEvents      = plainDesc("audit_events_total", "Events that this replica put on record: changes of Apps and keys, and calls refused for want of a role.")

	usageKeys     = plainDesc("usage_keys", "Keys whose use is being counted.")
	usagePending  = plainDesc("usage_pending_counts", "Counts of the use of keys that wait to be written.")
	usageLost     = plainDesc("usage_lost_requests_total", "Requests that were not counted because too many keys were in use.")
	usageWritten  = plainDesc("usage_written_counts_total", "Counts of the use of keys that were written, each of one key and day.")
	usageFailures = plainDesc("usage_flush_failures_total", "Times that the use of keys could not be written; it is tried again.")
)

// RegisterKeyStore shows the figures of the database of keys, and of counting their use. It returns what wants to know
// how long each read takes. It is called once at most: without a database none of the figures is there.
func (t *Telemetry) RegisterKeyStore(store func() KeyStoreStats, usage func() UsageStats) (observe func(time.Duration)) {
	took := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "postern_keystore_read_duration_seconds",
		Help:    "Time that a read of the database of keys takes.",
		Buckets: []float64{100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1},
	})
	t.registry.MustRegister(took, keyStoreFigures{store, usage})
	return func(d time.Duration) { took.Observe(d.Seconds()) }
}

// keyStoreFigures asks for the figures when Prometheus scrapes.
type keyStoreFigures struct {
	store func() KeyStoreStats
	usage func() UsageStats
}

// Describe implements [prometheus.Collector].
func (keyStoreFigures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		keyStoreDegraded, keyStoreReads, keyStoreFailures, keyStoreStale, keyStoreRefused,
		keyStoreChanges, keyStoreResyncs, keyStoreLastPoll, keyStorePollFailures, keyStoreListening,
		keyStoreExpiring, keyStoreClashes, auditEvents, usageKeys, usagePending, usageLost, usageWritten, usageFailures,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (f keyStoreFigures) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	gauge := func(d *prometheus.Desc, n float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n) }
	s := f.store()
	gauge(keyStoreDegraded, oneIf(s.Degraded))
	counter(keyStoreReads, s.Reads)
	counter(keyStoreFailures, s.Failures)
	counter(keyStoreStale, s.Stale)
	counter(keyStoreRefused, s.Refused)
	counter(keyStoreChanges, s.Changes)
	counter(keyStoreResyncs, s.Resyncs)
	gauge(keyStoreLastPoll, seconds(s.LastPoll))
	counter(keyStorePollFailures, s.PollFailures)
	gauge(keyStoreListening, oneIf(s.Listening))
	for _, e := range bounded(s.Expiring) {
		ch <- prometheus.MustNewConstMetric(keyStoreExpiring, prometheus.GaugeValue, float64(e.Keys), e.Namespace)
	}
	gauge(keyStoreClashes, float64(s.Clashes))
	counter(auditEvents, s.Events)
	u := f.usage()
	gauge(usageKeys, float64(u.Keys))
	gauge(usagePending, float64(u.Pending))
	counter(usageLost, u.Lost)
	counter(usageWritten, u.Written)
	counter(usageFailures, u.Failures)
}

// bounded counts what is beyond the first namespaces, those with the most keys, as one.
func bounded(all []ExpiringKeys) []ExpiringKeys {
	if len(all) <= mostNamespaces {
		return all
	}
	others := ExpiringKeys{Namespace: otherNamespaces}
	for _, e := range all[mostNamespaces:] {
		others.Keys += e.Keys
	}
	return append(slices.Clone(all[:mostNamespaces]), others)
}
