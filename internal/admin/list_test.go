package admin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// shelf makes Apps in two namespaces, three keys in each.
func (s *running) shelf() {
	s.t.Helper()
	for _, namespace := range []string{"other", "shop"} {
		for _, app := range []string{"a", "b"} {
			must[*adminv1.CreateAppResponse](s.t)(s.apps(rootToken).CreateApp(s.t.Context(), &adminv1.CreateAppRequest{App: &adminv1.App{
				Namespace: namespace, Name: app, Labels: map[string]string{"app": app},
			}}))
			for i, ttl := range []time.Duration{day, 10 * day, 100 * day} {
				must[*adminv1.IssueKeyResponse](s.t)(s.keys(rootToken).IssueKey(s.t.Context(), &adminv1.IssueKeyRequest{
					Namespace: namespace, App: app, Name: fmt.Sprintf("k%d", i), Ttl: durationpb.New(ttl),
				}))
			}
		}
	}
}

// listKeys reads all pages.
func (s *running) listKeys(token string, r *adminv1.ListKeysRequest) (names []string) {
	s.t.Helper()
	for {
		answer := must[*adminv1.ListKeysResponse](s.t)(s.keys(token).ListKeys(s.t.Context(), r))
		for _, k := range answer.GetKeys() {
			names = append(names, k.GetNamespace()+"/"+k.GetApp()+"/"+k.GetName())
		}
		if r.PageToken = answer.GetNextPageToken(); r.GetPageToken() == "" {
			return names
		}
	}
}

func TestLists(t *testing.T) {
	both(t, func(t *testing.T, database sqlstore.Options) {
		s := start(t, database)
		s.shelf()
		everything := s.listKeys(rootToken, &adminv1.ListKeysRequest{})
		if len(everything) != 12 || !slices.IsSorted(everything) {
			t.Errorf("%v", everything)
		}
		for size := range int32(13) {
			if diff := cmp.Diff(everything, s.listKeys(rootToken, &adminv1.ListKeysRequest{PageSize: size + 1})); diff != "" {
				t.Errorf("pages of %d: %s", size+1, diff)
			}
		}
		for _, tc := range []struct {
			request *adminv1.ListKeysRequest
			want    string
		}{
			{&adminv1.ListKeysRequest{}, "shop/a/k0 shop/a/k1 shop/a/k2 shop/b/k0 shop/b/k1 shop/b/k2"},
			{&adminv1.ListKeysRequest{Namespace: "shop", App: "b"}, "shop/b/k0 shop/b/k1 shop/b/k2"},
			{&adminv1.ListKeysRequest{ExpiringWithin: durationpb.New(14 * day), PageSize: 1}, "shop/a/k0 shop/a/k1 shop/b/k0 shop/b/k1"},
			{&adminv1.ListKeysRequest{States: []adminv1.KeyState{adminv1.KeyState_KEY_STATE_REVOKED}}, ""},
			{&adminv1.ListKeysRequest{App: "b", Namespace: "shop", States: []adminv1.KeyState{adminv1.KeyState_KEY_STATE_ACTIVE}}, "shop/b/k0 shop/b/k1 shop/b/k2"},
			{&adminv1.ListKeysRequest{Subject: "ada"}, ""},
		} {
			if diff := cmp.Diff(tc.want, strings.Join(s.listKeys(viewerToken, tc.request), " ")); diff != "" {
				t.Errorf("%v: %s", tc.request, diff)
			}
		}
		must[*adminv1.RevokeKeyResponse](t)(s.keys(operatorToken).RevokeKey(t.Context(), &adminv1.RevokeKeyRequest{Namespace: "shop", App: "a", Name: "k0"}))
		for want, states := range map[string][]adminv1.KeyState{
			"shop/a/k1 shop/b/k0 shop/b/k1": nil, "shop/a/k0": {adminv1.KeyState_KEY_STATE_REVOKED},
		} {
			got := s.listKeys(viewerToken, &adminv1.ListKeysRequest{ExpiringWithin: durationpb.New(14 * day), States: states})
			if strings.Join(got, " ") != want {
				t.Errorf("expiring, of the states %v: %v, want %s", states, got, want)
			}
		}
		gold := must[*adminv1.ListAppsResponse](t)(s.apps(viewerToken).ListApps(t.Context(), &adminv1.ListAppsRequest{MatchLabels: map[string]string{"app": "b"}}))
		if len(gold.GetApps()) != 1 || gold.GetApps()[0].GetNamespace() != "shop" {
			t.Errorf("%v", gold)
		}
	})
}

// TestPageTokens shows that a token is good for the list that it came with, and no other.
func TestPageTokens(t *testing.T) {
	s := start(t, sqlite(t))
	s.shelf()
	keys := s.keys(rootToken)
	first := must[*adminv1.ListKeysResponse](t)(keys.ListKeys(t.Context(), &adminv1.ListKeysRequest{PageSize: 2}))
	for what, r := range map[string]*adminv1.ListKeysRequest{
		"of another list": {PageToken: first.GetNextPageToken(), Namespace: "shop"},
		"cut off":         {PageToken: first.GetNextPageToken()[:10]},
		"made up":         {PageToken: "?"},
	} {
		_, err := keys.ListKeys(t.Context(), r)
		if got := fields(err); connect.CodeOf(err) != connect.CodeInvalidArgument || len(got) != 1 || !strings.HasPrefix(got[0], "page_token: ") {
			t.Errorf("a token %s: %v", what, err)
		}
	}
	if _, err := s.apps(rootToken).ListApps(t.Context(), &adminv1.ListAppsRequest{PageToken: first.GetNextPageToken()}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a token of keys for Apps: %v", err)
	}
	larger := must[*adminv1.ListKeysResponse](t)(keys.ListKeys(t.Context(), &adminv1.ListKeysRequest{PageSize: 5000, PageToken: first.GetNextPageToken()}))
	if len(larger.GetKeys()) != 10 || larger.GetNextPageToken() != "" {
		t.Errorf("a page of another size: %v", larger)
	}
	// A token grants nothing: who may see less sees less.
	less := must[*adminv1.ListKeysResponse](t)(s.keys(viewerToken).ListKeys(t.Context(), &adminv1.ListKeysRequest{PageToken: first.GetNextPageToken()}))
	if len(less.GetKeys()) != 6 {
		t.Errorf("%v", less)
	}
}

// TestTextsThatNoDatabaseTakes asks for what one of the databases would choke on: that is no fault of the database.
func TestTextsThatNoDatabaseTakes(t *testing.T) {
	both(t, func(t *testing.T, database sqlstore.Options) {
		s := start(t, database)
		list := &adminv1.ListKeysRequest{}
		data, err := json.Marshal(pageToken[sqlstore.KeyName]{listOf(list), sqlstore.KeyName{Namespace: "shop", App: "a\x00", Name: "b"}})
		if err != nil {
			t.Fatal(err)
		}
		list.PageToken = base64.RawURLEncoding.EncodeToString(data)
		for want, call := range map[string]func(context.Context) error{
			"name: it holds a NUL byte; leave it out": func(ctx context.Context) error {
				_, err := s.apps(rootToken).GetApp(ctx, &adminv1.GetAppRequest{Namespace: "shop", Name: "a\x00"})
				return err
			},
			"key.name: it holds a NUL byte; leave it out": func(ctx context.Context) error {
				_, err := s.keys(rootToken).UpdateKey(ctx, &adminv1.UpdateKeyRequest{
					Key: &adminv1.Key{Namespace: "shop", App: "a", Name: "\x00"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"disabled"}},
				})
				return err
			},
			"key.namespace: must be at least 1 characters": func(ctx context.Context) error {
				_, err := s.keys(rootToken).UpdateKey(ctx, &adminv1.UpdateKeyRequest{
					Key: &adminv1.Key{App: "a", Name: "b"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"disabled"}},
				})
				return err
			},
			"caller: it holds a NUL byte; leave it out": func(ctx context.Context) error {
				_, err := s.audit(viewerToken).ListAuditEvents(ctx, &adminv1.ListAuditEventsRequest{Caller: "\x00"})
				return err
			},
			`match_labels["$["]: does not match regex pattern ` + "`^[A-Za-z0-9][-./_A-Za-z0-9]{0,316}$`": func(ctx context.Context) error {
				_, err := s.apps(viewerToken).ListApps(ctx, &adminv1.ListAppsRequest{MatchLabels: map[string]string{"$[": "x"}})
				return err
			},
			errPageToken[0].field + ": " + errPageToken[0].description: func(ctx context.Context) error {
				_, err := s.keys(viewerToken).ListKeys(ctx, list)
				return err
			},
		} {
			err := call(t.Context())
			if diff := cmp.Diff([]string{want}, fields(err)); diff != "" {
				t.Errorf("%v: %s", err, diff)
			}
		}
	})
}

func TestUsage(t *testing.T) {
	both(t, func(t *testing.T, database sqlstore.Options) {
		s := start(t, database)
		now := s.clock.now()
		var counts []sqlstore.UsageCount
		for _, key := range []sqlstore.KeyName{{Namespace: "shop", App: "a", Name: "k"}, {Namespace: "shop", App: "a", Name: "l"}, {Namespace: "other", App: "b", Name: "k"}} {
			for ago := range 40 {
				at := now.AddDate(0, 0, -ago)
				counts = append(counts, sqlstore.UsageCount{KeyName: key, Day: at.Format(time.DateOnly), Requests: int64(ago + 1), LastUsed: at})
			}
		}
		if err := s.store.FlushUsage(t.Context(), counts); err != nil {
			t.Fatal(err)
		}
		query := func(token string, r *adminv1.QueryUsageRequest) (rows []*adminv1.Usage) {
			t.Helper()
			for {
				answer := must[*adminv1.QueryUsageResponse](t)(s.usage(token).QueryUsage(t.Context(), r))
				rows = append(rows, answer.GetUsage()...)
				if r.PageToken = answer.GetNextPageToken(); r.GetPageToken() == "" {
					return rows
				}
			}
		}
		if rows := query(viewerToken, &adminv1.QueryUsageRequest{PageSize: 7}); len(rows) != 60 || rows[0].GetDay() != "2026-03-01" || rows[59].GetDay() != "2026-01-31" {
			t.Errorf("%d rows of the last 30 days: %v", len(rows), rows)
		}
		rows := query(rootToken, &adminv1.QueryUsageRequest{ByApp: true, FirstDay: "2026-02-28", LastDay: "2026-02-28", PageSize: 1})
		if len(rows) != 2 || rows[1].GetRequests() != 4 || rows[1].GetKey() != "" || rows[1].GetApp() != "a" {
			t.Errorf("%v", rows)
		}
		for want, r := range map[string]*adminv1.QueryUsageRequest{
			"first_day: write the day as YYYY-MM-DD":   {FirstDay: "yesterday"},
			"namespace: name the namespace of the App": {App: "a"},
			"app: name the App of the key":             {Namespace: "shop", Key: "k"},
		} {
			_, err := s.usage(viewerToken).QueryUsage(t.Context(), r)
			if diff := cmp.Diff([]string{want}, fields(err)); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestAudit(t *testing.T) {
	both(t, func(t *testing.T, database sqlstore.Options) {
		s := start(t, database)
		s.acme()
		s.clock.advance(time.Hour)
		s.issue()
		if _, err := s.keys(viewerToken).IssueKey(t.Context(), &adminv1.IssueKeyRequest{Namespace: "shop", App: "acme", Name: "mine"}); connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Error(err)
		}
		list := func(token string, r *adminv1.ListAuditEventsRequest) (events []*adminv1.AuditEvent) {
			t.Helper()
			for {
				answer := must[*adminv1.ListAuditEventsResponse](t)(s.audit(token).ListAuditEvents(t.Context(), r))
				events = append(events, answer.GetEvents()...)
				if r.PageToken = answer.GetNextPageToken(); r.GetPageToken() == "" {
					return events
				}
			}
		}
		events := list(viewerToken, &adminv1.ListAuditEventsRequest{PageSize: 1})
		if len(events) != 3 {
			t.Fatalf("%v", events)
		}
		if e := events[0]; e.GetCaller() != "shop-viewer" || e.GetRole() != "viewer" || e.GetKey() != "mine" ||
			e.GetReason() != "refused: it needs the role operator" || e.GetAfter() != nil || e.GetPeer() != "127.0.0.1" {
			t.Errorf("%v", e)
		}
		if e := events[1]; e.GetBefore() != nil || e.GetAfter().AsMap()["prefix"] != "pk_" || !e.GetTime().AsTime().Equal(s.clock.now()) {
			t.Errorf("%v", e)
		}
		for want, r := range map[int]*adminv1.ListAuditEventsRequest{
			0: {Caller: "nobody"}, 1: {Until: timestamppb.New(s.clock.now())}, 2: {Since: timestamppb.New(s.clock.now())},
			3: {Namespace: "shop", App: "acme"},
		} {
			if got := list(viewerToken, r); len(got) != want {
				t.Errorf("%v: %v", r, got)
			}
		}
		if got := list(otherToken, &adminv1.ListAuditEventsRequest{}); len(got) != 0 {
			t.Errorf("seen from another namespace: %v", got)
		}
	})
}

// TestRefusalsOnRecord shows that nobody fills the record with refusals.
func TestRefusalsOnRecord(t *testing.T) {
	s := start(t, sqlite(t))
	keys := s.keys(viewerToken)
	for range 2 * refusalsAtOnce {
		_, err := keys.RevokeKey(t.Context(), &adminv1.RevokeKeyRequest{Namespace: strings.Repeat("n", 5000), App: "a\x00", Name: "k"})
		if connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Fatal(err)
		}
	}
	events := s.events()
	if len(events) != refusalsAtOnce || len(events[0].Namespace) > 260 || events[0].App != "a?" {
		t.Errorf("%d events are on record", len(events))
	}
	if n := strings.Count(s.log.String(), `"permission_denied"`); n != 2*refusalsAtOnce {
		t.Errorf("%d refusals are in the log", n)
	}
}
