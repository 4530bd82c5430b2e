package telemetry

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestKeyStoreFigures(t *testing.T) {
	tel := start(t, Options{})
	if got := series(t, tel, "postern_keystore_reads_total"); len(got) != 0 {
		t.Errorf("without a database: %v", got)
	}
	var expiring []ExpiringKeys
	wantExpiring := map[string]float64{"key_namespace=_other": 5}
	for i := range 105 {
		e := ExpiringKeys{fmt.Sprint("ns", i), 1}
		if i < 100 {
			e.Keys = int64(1000 - i)
			wantExpiring["key_namespace="+e.Namespace] = float64(e.Keys)
		}
		expiring = append(expiring, e)
	}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	observe := tel.RegisterKeyStore(
		func() KeyStoreStats {
			return KeyStoreStats{
				Degraded: true, Reads: 2, Failures: 3, Stale: 4, Refused: 5, Changes: 6, Resyncs: 7, LastPoll: at, PollFailures: 8,
				Listening: true, Expiring: expiring, Clashes: 10, Events: 16,
			}
		},
		func() UsageStats { return UsageStats{11, 12, 13, 14, 15} },
	)
	observe(time.Millisecond)
	for family, want := range map[string]float64{
		"postern_keystore_degraded": 1, "postern_keystore_reads_total": 2, "postern_keystore_read_failures_total": 3,
		"postern_keystore_stale_answers_total": 4, "postern_keystore_refused_reads_total": 5, "postern_keystore_changes_total": 6,
		"postern_keystore_resyncs_total": 7, "postern_keystore_last_poll_timestamp_seconds": float64(at.Unix()),
		"postern_keystore_poll_failures_total": 8, "postern_keystore_listening": 1,
		"postern_keystore_clashing_apps": 10, "postern_usage_keys": 11, "postern_usage_pending_counts": 12,
		"postern_usage_lost_requests_total": 13, "postern_usage_written_counts_total": 14, "postern_usage_flush_failures_total": 15,
		"postern_audit_events_total": 16,
	} {
		if diff := cmp.Diff(map[string]float64{"": want}, series(t, tel, family)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", family, diff)
		}
	}
	if diff := cmp.Diff(wantExpiring, series(t, tel, "postern_keystore_expiring_keys")); diff != "" {
		t.Errorf("expiring keys: -want +got:\n%s", diff)
	}
	if n := testutil.CollectAndCount(tel.registry, "postern_keystore_read_duration_seconds"); n != 1 {
		t.Errorf("%d histograms", n)
	}
	problems, err := testutil.GatherAndLint(tel.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestAdminRequests(t *testing.T) {
	tel := start(t, Options{})
	observe := tel.RegisterAdmin()
	observe("KeyService/IssueKey", "ok")
	observe("KeyService/IssueKey", "ok")
	observe("_other", "unauthenticated")
	want := map[string]float64{"code=ok,method=KeyService/IssueKey": 2, "code=unauthenticated,method=_other": 1}
	if diff := cmp.Diff(want, series(t, tel, "postern_admin_requests_total")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	problems, err := testutil.GatherAndLint(tel.registry)
	if err != nil || len(problems) > 0 {
		t.Error(err, problems)
	}
}
