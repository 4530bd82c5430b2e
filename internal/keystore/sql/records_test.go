package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-auth/postern/internal/keystore"
)

func TestAppIsReadAsItWasWritten(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		c := newClock()
		o.Now = c.Now
		s := open(t, o)
		want := App{
			AppName: acme, DisplayName: `Größer & "Söhne"`, Owner: "team", Description: "it's\nlong", Disabled: true,
			Scopes: []string{"b", "a", "b"}, Labels: map[string]string{"example.com/region": "eu"},
			Attributes: map[string]string{"t.e-n_ant": "'1'"},
		}
		var made App
		update(t, s, func(tx *Tx) (err error) {
			made, err = tx.CreateApp(want)
			return err
		})
		want.Scopes, want.CreatedAt, want.UpdatedAt, want.Revision = []string{"a", "b"}, noon, noon, 1
		diff(t, "made", want, made)
		diff(t, "read", want, must[App](t)(s.App(t.Context(), acme)))

		c.move(time.Hour)
		update(t, s, func(tx *Tx) (err error) {
			made.Owner, made.Disabled, made.Scopes, made.Labels = "another", false, nil, nil
			made, err = tx.UpdateApp(made)
			return err
		})
		want.Owner, want.Disabled, want.Scopes, want.Labels = "another", false, []string{}, map[string]string{}
		want.UpdatedAt, want.Revision = noon.Add(time.Hour), 2
		diff(t, "updated", want, made)
		diff(t, "read again", want, must[App](t)(s.App(t.Context(), acme)))
	})
}

func TestKeyIsReadAsItWasWritten(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		c := newClock()
		o.Now = c.Now
		s := open(t, o)
		peppered := digest("a")
		peppered.Pepper = "p1"
		keys := []Key{
			{
				KeyName: KeyName{"shop", "acme", "full"}, Type: PersonalAccessToken, Description: "for\ttests", Digest: peppered,
				Prefix: "pat_", LastFour: "wxyz", Subject: "alice", Scopes: []string{"b", "a"}, Disabled: true,
				NotBefore: noon.Add(time.Nanosecond), ExpiresAt: noon.Add(time.Hour), RevokedAt: noon, Successor: "next",
			},
			{KeyName: KeyName{"shop", "acme", "plain"}, Type: APIKey, Digest: digest("b")},
			{KeyName: KeyName{"shop", "acme", "none"}, Type: APIKey, Digest: digest("c"), Scopes: []string{}},
			hmacKey(acme, "signer", "id"),
		}
		withApp(t, s, acme, keys...)
		for _, want := range keys {
			want.CreatedAt, want.UpdatedAt, want.Revision, want.Secret = noon, noon, 2, ""
			want.NotBefore = stored(want.NotBefore)
			slices.Sort(want.Scopes)
			diff(t, want.Name, want, must[Key](t)(s.Key(t.Context(), want.KeyName)))
		}

		c.move(time.Minute)
		change(t, s, keys[0].KeyName, func(k *Key) {
			k.Description, k.Scopes, k.Disabled, k.Successor = "", nil, false, ""
			k.NotBefore, k.ExpiresAt, k.RevokedAt = time.Time{}, noon, time.Time{}
			k.Prefix, k.Subject, k.Digest = "changed", "changed", digest("changed") // stay
		})
		diff(t, "updated", Key{
			KeyName: keys[0].KeyName, Type: PersonalAccessToken, Digest: peppered, Prefix: "pat_", LastFour: "wxyz",
			Subject: "alice", ExpiresAt: noon, CreatedAt: noon, UpdatedAt: noon.Add(time.Minute), Revision: 3,
		}, must[Key](t)(s.Key(t.Context(), keys[0].KeyName)))
	})
}

func TestWritesAreRefused(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		s := open(t, o)
		other := AppName{"other", "acme"}
		first := apiKey(acme, "first")
		withApp(t, s, acme, first, hmacKey(acme, "signer", "taken"))
		withApp(t, s, other)
		copied := apiKey(other, "copy")
		copied.Digest = first.Digest
		both := apiKey(acme, "both")
		both.SigningID = "both"
		nul := apiKey(acme, "nul")
		nul.Description = "a\x00b"
		token := apiKey(acme, "token")
		token.Type = PersonalAccessToken
		impostor := apiKey(acme, "impostor")
		impostor.Type, impostor.Subject = PersonalAccessToken, "app:shop/other"
		short := hmacKey(acme, "short", "short")
		short.Secret = "short"

		exists := func(what, by string) error { return &ExistsError{what, KeyName{"shop", "acme", by}} }
		for name, tc := range map[string]struct {
			do   func(*Tx) error
			want error
		}{
			"an app twice": {makes(func(tx *Tx) (App, error) { return tx.CreateApp(newApp(acme)) }), exists("app", "")},
			"an unknown app's update": {
				makes(func(tx *Tx) (App, error) { return tx.UpdateApp(newApp(AppName{"shop", "none"})) }), ErrNotFound,
			},
			"an old app":      {makes(func(tx *Tx) (App, error) { return tx.UpdateApp(newApp(acme)) }), ErrConflict},
			"no app's delete": {func(tx *Tx) error { return tx.DeleteApp(AppName{"shop", "none"}) }, ErrNotFound},
			"no app's key": {
				makes(func(tx *Tx) (Key, error) { return tx.CreateKey(apiKey(AppName{"shop", "none"}, "a")) }), ErrNotFound,
			},
			"a key twice":    {makes(func(tx *Tx) (Key, error) { return tx.CreateKey(apiKey(acme, "first")) }), exists("key", "first")},
			"a digest twice": {makes(func(tx *Tx) (Key, error) { return tx.CreateKey(copied) }), exists("digest", "first")},
			"a signing id twice": {
				makes(func(tx *Tx) (Key, error) { return tx.CreateKey(hmacKey(acme, "other", "taken")) }), exists("signing id", "signer"),
			},
			"a name twice in one": {
				makes(func(tx *Tx) ([]Key, error) { return tx.CreateKeys(acme, []Key{apiKey(acme, "a"), apiKey(acme, "a")}) }), exists("key", "a"),
			},
			"a key twice among others, hidden": {func(tx *Tx) error {
				_, _ = tx.CreateKeys(acme, []Key{apiKey(acme, "a"), first})
				return nil
			}, exists("key", "first")},
			"an old key":             {makes(func(tx *Tx) (Key, error) { return tx.UpdateKey(first) }), ErrConflict},
			"an unknown key's":       {makes(func(tx *Tx) (Key, error) { return tx.UpdateKey(apiKey(acme, "none")) }), ErrNotFound},
			"no key's delete":        {func(tx *Tx) error { return tx.DeleteKey(KeyName{"shop", "acme", "none"}) }, ErrNotFound},
			"a digest and a signer":  {makes(func(tx *Tx) (Key, error) { return tx.CreateKey(both) }), ErrInvalid},
			"a NUL":                  {makes(func(tx *Tx) (Key, error) { return tx.CreateKey(nul) }), ErrInvalid},
			"a token without a user": {makes(func(tx *Tx) (Key, error) { return tx.CreateKey(token) }), ErrInvalid},
			"a token of an app":      {makes(func(tx *Tx) (Key, error) { return tx.CreateKey(impostor) }), ErrInvalid},
			"a short secret":         {makes(func(tx *Tx) (Key, error) { return tx.CreateKey(short) }), ErrInvalid},
			"no type":                {makes(func(tx *Tx) (Key, error) { return tx.CreateKey(Key{KeyName: nul.KeyName}) }), ErrInvalid},
			"a request nobody made":  {makes(func(tx *Tx) (Request, error) { return tx.Request("a", "b", "c") }), ErrNotFound},
		} {
			before := must[counter](t)(readCounter(t.Context(), s.db.read, ""))
			err := s.Update(t.Context(), tc.do)
			var got, want *ExistsError
			if errors.As(tc.want, &want) {
				if !errors.As(err, &got) || *got != *want || !errors.Is(err, ErrExists) {
					t.Errorf("%s: %v; want %v", name, err, tc.want)
				}
			} else if !errors.Is(err, tc.want) {
				t.Errorf("%s: %v; want %v", name, err, tc.want)
			}
			if after := must[counter](t)(readCounter(t.Context(), s.db.read, "")); after != before {
				t.Errorf("%s: the counter went from %v to %v", name, before, after)
			}
		}
		if keys := must[[]Key](t)(s.Keys(t.Context(), KeyFilter{}, KeyName{}, 100)); len(keys) != 2 {
			t.Errorf("there are %d keys", len(keys))
		}
	})
}

// makes is a write whose result does not matter.
func makes[T any](do func(*Tx) (T, error)) func(*Tx) error {
	return func(tx *Tx) error {
		_, err := do(tx)
		return err
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		s := open(t, o)
		refused := errors.New("refused")
		for name, end := range map[string]func() error{
			"an error": func() error { return refused },
			"a panic":  func() error { panic(refused) },
		} {
			func() {
				defer func() { _ = recover() }()
				if err := s.Update(t.Context(), func(tx *Tx) error {
					if _, err := tx.CreateApp(newApp(acme)); err != nil {
						t.Error(err)
					}
					if _, err := tx.AppendEvent(Event{Caller: "a"}); err != nil {
						t.Error(err)
					}
					return end()
				}); !errors.Is(err, refused) {
					t.Errorf("%s: %v", name, err)
				}
			}()
			if _, err := s.App(t.Context(), acme); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		withApp(t, s, acme) // the lock is free again
	})
}

func TestPagesJoinToTheWhole(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		s := open(t, o)
		var apps []AppName
		var keys []KeyName
		for _, namespace := range []string{"a", "a-b", "B", "ä"} { // byte order, whatever the locale
			for _, name := range []string{"x", "x-1", "x.1", "xa"} {
				app := AppName{namespace, name}
				apps = append(apps, app)
				withApp(t, s, app, apiKey(app, "k"), apiKey(app, "k-2"), apiKey(app, "k2"))
				for _, key := range []string{"k", "k-2", "k2"} {
					keys = append(keys, KeyName{namespace, name, key})
				}
			}
		}
		byText := func(a, b AppName) int {
			return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
		}
		slices.SortFunc(apps, byText)
		slices.SortFunc(keys, func(a, b KeyName) int {
			return slices.Compare([]string{a.Namespace, a.App, a.Name}, []string{b.Namespace, b.App, b.Name})
		})
		for _, size := range []int{1, 5, 100} {
			var gotApps []AppName
			for after := (AppName{}); ; after = gotApps[len(gotApps)-1] {
				page := must[[]App](t)(s.Apps(t.Context(), AppFilter{}, after, size))
				for _, a := range page {
					gotApps = append(gotApps, a.AppName)
				}
				if len(page) < size {
					break
				}
			}
			diff(t, fmt.Sprintf("apps by %d", size), apps, gotApps)
			var gotKeys []KeyName
			for after := (KeyName{}); ; after = gotKeys[len(gotKeys)-1] {
				page := must[[]Key](t)(s.Keys(t.Context(), KeyFilter{}, after, size))
				for _, k := range page {
					gotKeys = append(gotKeys, k.KeyName)
				}
				if len(page) < size {
					break
				}
			}
			diff(t, fmt.Sprintf("keys by %d", size), keys, gotKeys)
		}
	})
}

func TestFilters(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		c := newClock()
		o.Now = c.Now
		s := open(t, o)
		labelled := newApp(AppName{"shop", "labelled"})
		labelled.Labels = map[string]string{"tier": "partner", "example.com/re.gion": "eu", "quote": `"`}
		update(t, s, makes(func(tx *Tx) (App, error) { return tx.CreateApp(labelled) }))
		withApp(t, s, AppName{"other", "acme"}, apiKey(AppName{"other", "acme"}, "x"))
		var keys []Key
		for _, state := range []func(k *Key){
			func(k *Key) { k.Name = "active" },
			func(k *Key) { k.Name, k.NotBefore = "pending", noon.Add(time.Second) },
			func(k *Key) { k.Name, k.NotBefore = "begun", noon },
			func(k *Key) { k.Name, k.ExpiresAt = "expired", noon },
			func(k *Key) { k.Name, k.ExpiresAt = "expiring", noon.Add(time.Hour) },
			func(k *Key) { k.Name, k.Disabled, k.ExpiresAt = "disabled", true, noon.Add(time.Hour) },
			func(k *Key) { k.Name, k.RevokedAt, k.ExpiresAt = "revoked", noon, noon.Add(time.Hour) },
			func(k *Key) { k.Name, k.RevokedAt, k.ExpiresAt = "revoked-expired", noon, noon },
			func(k *Key) { k.Name, k.Successor, k.ExpiresAt = "rotated", "expiring", noon.Add(time.Hour) },
			func(k *Key) {
				k.Name, k.Type, k.Subject, k.ExpiresAt = "of-alice", PersonalAccessToken, "alice", noon.Add(time.Hour)
			},
		} {
			k := apiKey(acme, "")
			state(&k)
			k.Digest = digest(k.Name)
			keys = append(keys, k)
		}
		withApp(t, s, acme, keys...)

		names := func(f KeyFilter) (names []string) {
			for _, k := range must[[]Key](t)(s.Keys(t.Context(), f, KeyName{}, 100)) {
				names = append(names, k.Name)
			}
			return names
		}
		byState := map[State][]string{}
		for _, k := range must[[]Key](t)(s.Keys(t.Context(), KeyFilter{Namespaces: []string{"shop"}}, KeyName{}, 100)) {
			byState[k.State(noon)] = append(byState[k.State(noon)], k.Name)
		}
		for state, want := range byState {
			diff(t, string(state), want, names(KeyFilter{Namespaces: []string{"shop"}, States: []State{state}}))
		}
		if len(byState) != 5 {
			t.Errorf("only the states %v are tested", slices.Collect(maps.Keys(byState)))
		}
		diff(t, "two states", []string{"disabled", "pending"}, names(KeyFilter{States: []State{Pending, Disabled}}))
		diff(t, "no state", []string(nil), names(KeyFilter{States: []State{}}))
		diff(t, "expiring", []string{"disabled", "expiring", "of-alice", "revoked", "rotated"}, names(KeyFilter{Expiring: time.Hour}))
		diff(t, "expiring sooner", []string(nil), names(KeyFilter{Expiring: time.Hour - time.Second}))
		diff(t, "subject", []string{"of-alice"}, names(KeyFilter{Subject: "alice"}))
		diff(t, "app", []string{"x"}, names(KeyFilter{Namespaces: []string{"other"}, App: "acme"}))
		diff(t, "no namespace", []string(nil), names(KeyFilter{Namespaces: []string{}}))
		wants := func(within time.Duration, want ...NamespaceCount) {
			t.Helper()
			diff(t, within.String(), want, must[[]NamespaceCount](t)(s.Expiring(t.Context(), within)), cmpopts.EquateEmpty())
		}
		wants(time.Hour, NamespaceCount{"shop", 1})
		wants(time.Hour - time.Second)
		ends := func(namespace, name string) {
			change(t, s, KeyName{namespace, "acme", name}, func(k *Key) { k.ExpiresAt = noon.Add(2 * time.Hour) })
		}
		ends("other", "x")
		wants(2*time.Hour, NamespaceCount{"other", 1}, NamespaceCount{"shop", 1})
		ends("shop", "active")
		wants(2*time.Hour, NamespaceCount{"shop", 2}, NamespaceCount{"other", 1})

		apps := func(f AppFilter) (names []string) {
			for _, a := range must[[]App](t)(s.Apps(t.Context(), f, AppName{}, 100)) {
				names = append(names, a.String())
			}
			return names
		}
		diff(t, "apps", []string{"other/acme", "shop/acme", "shop/labelled"}, apps(AppFilter{}))
		diff(t, "apps of a namespace", []string{"other/acme"}, apps(AppFilter{Namespaces: []string{"other"}}))
		diff(t, "apps of no namespace", []string(nil), apps(AppFilter{Namespaces: []string{}}))
		diff(t, "labels", []string{"shop/labelled"}, apps(AppFilter{Labels: labelled.Labels}))
		diff(t, "a label", []string{"other/acme", "shop/acme", "shop/labelled"}, apps(AppFilter{Labels: map[string]string{"tier": "partner"}}))
		diff(t, "another label", []string(nil), apps(AppFilter{Labels: map[string]string{"tier": "partner", "example": "eu"}}))
	})
}

func TestDeletingAnAppDeletesItsKeys(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		s := open(t, o)
		withApp(t, s, acme, apiKey(acme, "a"), hmacKey(acme, "b", "b"))
		withApp(t, s, AppName{"shop", "other"}, apiKey(AppName{"shop", "other"}, "a"))
		update(t, s, func(tx *Tx) error { return tx.DeleteApp(acme) })
		if keys := must[[]Key](t)(s.Keys(t.Context(), KeyFilter{}, KeyName{}, 10)); len(keys) != 1 || keys[0].App != "other" {
			t.Errorf("left: %v", keys)
		}
		if _, err := s.ByDigest(t.Context(), apiKey(acme, "a").Digest); !errors.Is(err, keystore.ErrNotFound) {
			t.Error(err)
		}
		withApp(t, s, acme, apiKey(acme, "a"))
	})
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		o.Migrate = true
		s := must[*Store](t)(Open(o))
		if _, err := s.ByDigest(context.Background(), digest("a")); !errors.Is(err, ErrNotPrepared) || !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		if err := s.Update(context.Background(), func(*Tx) error { return nil }); !errors.Is(err, ErrNotPrepared) {
			t.Error(err)
		}
		if err := s.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ByDigest(context.Background(), digest("a")); !errors.Is(err, ErrUnavailable) || errors.Is(err, keystore.ErrNotFound) {
			t.Error(err)
		}
		if err := s.Update(context.Background(), func(*Tx) error { return nil }); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
	})
}
