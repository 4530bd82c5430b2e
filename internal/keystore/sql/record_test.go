package sqlstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAuditIsAppendOnly(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		c := newClock()
		o.Now = c.Now
		s := open(t, o)
		full := Event{
			Caller: "ops", Role: "operator", Method: "postern.admin.v1.KeyService/RevokeKey", Namespace: "shop", App: "acme", Key: "a",
			RequestID: "r1", Peer: "127.0.0.1:1", Before: json.RawMessage(`{"a":"ü\u0000"}`), After: nil, Reason: "left",
		}
		update(t, s, func(tx *Tx) (err error) {
			full, err = tx.AppendEvent(full)
			return err
		})
		for i := range 5 {
			c.move(time.Hour)
			update(t, s, makes(func(tx *Tx) (Event, error) {
				return tx.AppendEvent(Event{Caller: fmt.Sprint("c", i%2), Namespace: "other", App: fmt.Sprint("a", i)})
			}))
		}
		page := func(f EventFilter, before int64, limit int) (seen string) {
			for _, e := range must[[]Event](t)(s.Events(t.Context(), f, before, limit)) {
				seen += e.Caller + "/" + e.App + " "
			}
			return seen
		}
		diff(t, "one", []Event{full}, must[[]Event](t)(s.Events(t.Context(), EventFilter{Namespaces: []string{"shop"}, App: "acme", Key: "a"}, 0, 10)))
		if full.ID == 0 || !full.At.Equal(noon) {
			t.Errorf("%+v", full)
		}
		for _, tc := range []struct {
			f      EventFilter
			before int64
			limit  int
			want   string
		}{
			{EventFilter{}, 0, 2, "c0/a4 c1/a3 "},
			{EventFilter{}, full.ID + 2, 9, "c0/a0 ops/acme "},
			{EventFilter{Caller: "c1"}, 0, 9, "c1/a3 c1/a1 "},
			{EventFilter{Since: noon.Add(2 * time.Hour), Until: noon.Add(4 * time.Hour)}, 0, 9, "c0/a2 c1/a1 "},
			{EventFilter{Namespaces: []string{}}, 0, 9, ""},
			{EventFilter{Namespaces: []string{"other"}, App: "a1"}, 0, 9, "c1/a1 "},
		} {
			diff(t, fmt.Sprintf("%+v", tc.f), tc.want, page(tc.f, tc.before, tc.limit))
		}

		for _, statement := range []string{`UPDATE audit SET caller = 'x'`, `DELETE FROM audit`, `DELETE FROM audit WHERE id = 1`, `TRUNCATE audit`} {
			if o.File != "" && strings.HasPrefix(statement, "TRUNCATE") {
				continue // SQLite has none
			}
			if _, err := exec(t.Context(), s.db.write, statement); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", statement, err)
			}
		}
		if events := must[[]Event](t)(s.Events(t.Context(), EventFilter{}, 0, 10)); len(events) != 6 {
			t.Errorf("%d events are left", len(events))
		}
	})
}

func TestRequestIsRememberedForADay(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		c := newClock()
		o.Now = c.Now
		s := open(t, o)
		want := Request{Caller: "ops", Method: "IssueKey", ID: "r1", Hash: []byte{0, 1, 255}, Object: "shop/acme/a"}
		remember := func(r Request) { update(t, s, func(tx *Tx) error { return tx.RememberRequest(r) }) }
		recall := func(caller, method, id string) (r Request, err error) {
			err = s.Update(t.Context(), func(tx *Tx) (err error) {
				r, err = tx.Request(caller, method, id)
				return err
			})
			return r, err
		}
		remember(want)
		diff(t, "recalled", want, must[Request](t)(recall("ops", "IssueKey", "r1")))
		for _, other := range [][3]string{{"ops2", "IssueKey", "r1"}, {"ops", "RotateKey", "r1"}, {"ops", "IssueKey", "r2"}} {
			if _, err := recall(other[0], other[1], other[2]); !errors.Is(err, ErrNotFound) {
				t.Errorf("%v: %v", other, err)
			}
		}
		c.move(requestsKept - time.Second)
		if err := s.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		must[Request](t)(recall("ops", "IssueKey", "r1"))
		c.move(time.Second)
		if _, err := recall("ops", "IssueKey", "r1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("after a day: %v", err)
		}
		want.Object = "shop/acme/b"
		remember(want)
		diff(t, "made anew", want, must[Request](t)(recall("ops", "IssueKey", "r1")))
		c.move(2 * requestsKept)
		if err := s.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := must[int](t)(one(t.Context(), s.db.read, func(row scanner) (n int, err error) { return n, row.Scan(&n) },
			`SELECT count(*) FROM requests`)); n != 0 {
			t.Errorf("%d requests are kept", n)
		}
	})
}

func TestUsageAddsUp(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		c := newClock()
		o.Now = c.Now
		s := open(t, o)
		withApp(t, s, acme, apiKey(acme, "a"), apiKey(acme, "b"))
		count := func(app, key, day string, n int64, at time.Time) UsageCount {
			return UsageCount{KeyName{"shop", app, key}, day, n, at}
		}
		flush := func(counts ...UsageCount) {
			t.Helper()
			if err := s.FlushUsage(t.Context(), counts); err != nil {
				t.Fatal(err)
			}
		}
		flush()
		flush(
			count("acme", "a", "2026-11-21", 3, noon.Add(-24*time.Hour)), count("acme", "a", "2026-11-22", 5, noon.Add(time.Hour)),
			count("acme", "b", "2026-11-22", 1<<40, noon), count("declared", "x", "2026-11-22", 2, noon),
		)
		flush(count("acme", "a", "2026-11-22", 7, noon)) // another replica's, of an earlier use

		usage := func(f UsageFilter) []UsageCount {
			return must[[]UsageCount](t)(s.Usage(t.Context(), f, UsagePlace{}, 100))
		}
		a22, b22 := count("acme", "a", "2026-11-22", 12, noon.Add(time.Hour)), count("acme", "b", "2026-11-22", 1<<40, noon)
		x22, a21 := count("declared", "x", "2026-11-22", 2, noon), count("acme", "a", "2026-11-21", 3, noon.Add(-24*time.Hour))
		diff(t, "all", []UsageCount{a22, b22, x22, a21}, usage(UsageFilter{}))
		diff(t, "a key", []UsageCount{a22, a21}, usage(UsageFilter{Namespaces: []string{"shop"}, App: "acme", Key: "a"}))
		diff(t, "a day", []UsageCount{a21}, usage(UsageFilter{LastDay: "2026-11-21"}))
		diff(t, "later days", []UsageCount{x22}, usage(UsageFilter{FirstDay: "2026-11-22", App: "declared"}))
		diff(t, "no namespace", []UsageCount(nil), usage(UsageFilter{Namespaces: []string{}}))
		byApp := []UsageCount{
			count("acme", "", "2026-11-22", 1<<40+12, noon.Add(time.Hour)), x22, count("acme", "", "2026-11-21", 3, noon.Add(-24*time.Hour)),
		}
		byApp[1].Name = ""
		diff(t, "by app", byApp, usage(UsageFilter{ByApp: true}))
		for whole, filter := range map[*[]UsageCount]UsageFilter{{a22, b22, x22, a21}: {}, &byApp: {ByApp: true}} {
			var joined []UsageCount
			var after UsagePlace
			for range *whole {
				page := must[[]UsageCount](t)(s.Usage(t.Context(), filter, after, 1))
				joined = append(joined, page...)
				after = UsagePlace{page[0].Day, page[0].KeyName}
			}
			diff(t, "page by page", *whole, joined)
			if page := must[[]UsageCount](t)(s.Usage(t.Context(), filter, after, 1)); len(page) > 0 {
				t.Errorf("after the end: %v", page)
			}
		}

		if k := must[Key](t)(s.Key(t.Context(), a22.KeyName)); !k.LastUsed.Equal(noon.Add(time.Hour)) {
			t.Errorf("last used %v", k.LastUsed)
		}
		c.move(2 * time.Hour) // a key of the same name was never used
		update(t, s, func(tx *Tx) error {
			if err := tx.DeleteKey(a22.KeyName); err != nil {
				return err
			}
			_, err := tx.CreateKey(apiKey(acme, "a"))
			return err
		})
		if k := must[Key](t)(s.Key(t.Context(), a22.KeyName)); !k.LastUsed.IsZero() {
			t.Errorf("the new key was last used %v", k.LastUsed)
		}
	})
}

func TestOldUsageIsPruned(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		c := newClock()
		o.Now, o.UsageKept, o.Timeout = c.Now, 48*time.Hour, time.Minute
		s := open(t, o)
		const keys = 1500 // more than is removed at once
		var counts []UsageCount
		for _, day := range []string{"2026-11-18", "2026-11-19", "2026-11-20", "2026-11-22"} {
			for k := range keys {
				counts = append(counts, UsageCount{KeyName{"shop", "acme", fmt.Sprint(k)}, day, 1, noon})
			}
		}
		if err := s.FlushUsage(t.Context(), counts); err != nil {
			t.Fatal(err)
		}
		left := func() (days string) {
			for _, u := range must[[]UsageCount](t)(s.Usage(t.Context(), UsageFilter{ByApp: true}, UsagePlace{}, 10)) {
				days += fmt.Sprintf("%s %d ", u.Day, u.Requests)
			}
			return days
		}
		for _, want := range []string{"2026-11-22 1500 2026-11-20 1500 ", "2026-11-22 1500 "} {
			var both sync.WaitGroup // as replicas do
			for range 2 {
				both.Go(func() {
					if err := s.prune(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			diff(t, "left", want, left())
			c.move(24 * time.Hour)
		}
	})
}

func TestManyFlushesAtOnce(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		stores := []*Store{open(t, o), open(t, o)}
		if o.File != "" {
			stores[1] = stores[0] // writers of one process take turns; SQLite lets those of several starve
		}
		const keys, rounds = 1501, 3
		errs := make(chan error)
		for i, s := range stores {
			var counts []UsageCount
			for k := range keys {
				counts = append(counts, UsageCount{KeyName{"shop", "acme", fmt.Sprint((k*(2*i+1) + i) % keys)}, "2026-11-22", 1, noon})
			}
			go func() {
				for range rounds {
					if err := s.FlushUsage(t.Context(), counts); err != nil {
						errs <- err
						return
					}
				}
				errs <- nil
			}()
		}
		for range stores {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		total := must[[]UsageCount](t)(stores[0].Usage(t.Context(), UsageFilter{ByApp: true}, UsagePlace{}, 10))
		if len(total) != 1 || total[0].Requests != int64(keys*rounds*len(stores)) {
			t.Errorf("%+v", total)
		}
	})
}
