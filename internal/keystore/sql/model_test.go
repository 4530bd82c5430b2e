package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/keystore/keystoretest"
)

// model is what a database should hold.
type model struct {
	apps map[AppName]App
	keys map[KeyName]Key
}

// What random writes are about: few things, so that they meet.
var (
	modelApps    = []AppName{{"a", "x"}, {"a", "y"}, {"b", "x"}}
	modelNames   = []string{"k1", "k2", "k3"}
	modelDigests = []string{"d1", "d2", "d3", "d4"}
	modelSigners = []string{"s1", "s2"}
)

// writer makes the same writes to a transaction and to a model.
type writer struct {
	*rapid.T

	m      *model
	tx     *Tx
	broken bool // the transaction cannot be kept
}

func (w *writer) app() AppName { return rapid.SampledFrom(modelApps).Draw(w.T, "app") }

func (w *writer) scopes() []string {
	return rapid.SampledFrom([][]string{nil, {}, {"a"}, {"b", "a"}}).Draw(w.T, "scopes")
}

// expect checks that a write was refused as the model says; want nil: not at all.
func (w *writer) expect(what string, err, want error) {
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		w.Fatalf("%s: %v; want %v", what, err, want)
	}
}

func (w *writer) createApp() {
	a := App{AppName: w.app(), Scopes: w.scopes()}
	made, err := w.tx.CreateApp(a)
	if _, exists := w.m.apps[a.AppName]; exists {
		w.expect("create app", err, ErrExists)
		return
	}
	w.expect("create app", err, nil)
	w.m.apps[a.AppName] = made
}

func (w *writer) updateApp() {
	name := w.app()
	a, exists := w.m.apps[name]
	a.AppName, a.Scopes, a.Disabled = name, w.scopes(), rapid.Bool().Draw(w.T, "disabled")
	if old := rapid.Bool().Draw(w.T, "old"); old {
		a.Revision--
		_, err := w.tx.UpdateApp(a)
		w.expect("update an old app", err, map[bool]error{true: ErrConflict, false: ErrNotFound}[exists])
		return
	}
	made, err := w.tx.UpdateApp(a)
	if !exists {
		w.expect("update no app", err, ErrNotFound)
		return
	}
	w.expect("update app", err, nil)
	w.m.apps[name] = made
}

func (w *writer) deleteApp() {
	name := w.app()
	err := w.tx.DeleteApp(name)
	if _, exists := w.m.apps[name]; !exists {
		w.expect("delete no app", err, ErrNotFound)
		return
	}
	w.expect("delete app", err, nil)
	delete(w.m.apps, name)
	maps.DeleteFunc(w.m.keys, func(k KeyName, _ Key) bool { return k.AppName() == name })
}

// newKey draws a key; what it clashes with is for the model to say.
func (w *writer) newKey(app AppName) Key {
	k := apiKey(app, rapid.SampledFrom(modelNames).Draw(w.T, "name"))
	if rapid.Bool().Draw(w.T, "signs") {
		return hmacKey(app, k.Name, rapid.SampledFrom(modelSigners).Draw(w.T, "signing id"))
	}
	k.Digest = digest(rapid.SampledFrom(modelDigests).Draw(w.T, "digest"))
	k.Scopes = w.scopes()
	return k
}

// clashes reports whether two keys cannot both be.
func clashes(a, b Key) bool {
	return a.KeyName == b.KeyName || a.SigningID == "" && a.Digest == b.Digest ||
		a.SigningID != "" && a.SigningID == b.SigningID && a.Namespace == b.Namespace
}

func (w *writer) createKeys() {
	app := w.app()
	var keys []Key
	for range rapid.IntRange(1, 3).Draw(w.T, "keys") {
		keys = append(keys, w.newKey(app))
	}
	made, err := w.tx.CreateKeys(app, keys)
	if _, exists := w.m.apps[app]; !exists {
		w.expect("create a key of no app", err, ErrNotFound)
		return
	}
	all := slices.Collect(maps.Values(w.m.keys))
	for i, k := range keys {
		if slices.ContainsFunc(append(all, keys[:i]...), func(o Key) bool { return clashes(k, o) }) {
			w.expect("create keys that clash", err, ErrExists)
			w.broken = w.tx.broken != nil
			return
		}
	}
	w.expect("create keys", err, nil)
	for _, k := range made {
		w.m.keys[k.KeyName] = k
	}
}

func (w *writer) key() (KeyName, Key, bool) {
	app := w.app()
	name := KeyName{app.Namespace, app.Name, rapid.SampledFrom(modelNames).Draw(w.T, "name")}
	k, exists := w.m.keys[name]
	k.KeyName = name
	return name, k, exists
}

func (w *writer) updateKey() {
	name, k, exists := w.key()
	k.Scopes = w.scopes()
	if rapid.Bool().Draw(w.T, "revoke") {
		k.RevokedAt = w.tx.Now()
	}
	made, err := w.tx.UpdateKey(k)
	if !exists {
		w.expect("update no key", err, ErrNotFound)
		return
	}
	w.expect("update key", err, nil)
	w.m.keys[name] = made
}

func (w *writer) deleteKey() {
	name, _, exists := w.key()
	err := w.tx.DeleteKey(name)
	if !exists {
		w.expect("delete no key", err, ErrNotFound)
		return
	}
	w.expect("delete key", err, nil)
	delete(w.m.keys, name)
}

var errTakenBack = errors.New("taken back")

// TestUpdatesKeepTheModel makes updates of several writes at random, some of which are refused or taken back, and
// compares all that can be read with a model. It also remembers answers to checks and forgets what a follower that polls
// now and then is told to: what is remembered must be true.
func TestUpdatesKeepTheModel(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		c := newClock()
		o.Now = c.Now
		s := open(t, o)
		rapid.Check(t, func(t *rapid.T) {
			m := begin(t, s)
			remembered := memories{}
			f := &follower{apply: func(c Changes) { c.Forget(remembered) }}
			poll := func() {
				if err := s.poll(context.Background(), f); err != nil {
					t.Fatal(err)
				}
			}
			poll()
			for range rapid.IntRange(1, 10).Draw(t, "updates") {
				remembered.ask(t, s)
				w := &writer{T: t, m: &model{maps.Clone(m.apps), maps.Clone(m.keys)}}
				err := s.Update(context.Background(), w.transaction)
				switch {
				case err == nil && !w.broken:
					m = w.m
				case errors.Is(err, errTakenBack), w.broken && errors.Is(err, ErrExists):
				default:
					t.Fatalf("update: %v", err)
				}
				m.compare(t, s)
				if rapid.Bool().Draw(t, "poll") {
					poll()
					remembered.mustBeTrue(t, s)
				}
				c.move(time.Duration(rapid.IntRange(0, 100).Draw(t, "seconds")) * time.Second)
			}
		})
	})
}

// begin leaves nothing in the database but the Apps, so that every attempt begins with the same.
func begin(t *rapid.T, s *Store) *model {
	m := &model{map[AppName]App{}, map[KeyName]Key{}}
	if err := s.Update(context.Background(), func(tx *Tx) error {
		for _, name := range modelApps {
			if err := tx.DeleteApp(name); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			made, err := tx.CreateApp(App{AppName: name, Scopes: []string{"a"}})
			if err != nil {
				return err
			}
			m.apps[name] = made
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return m
}

// transaction is what to do in an Update.
func (w *writer) transaction(tx *Tx) error {
	w.tx = tx
	writes := []func(){w.createApp, w.updateApp, w.deleteApp, w.createKeys, w.createKeys, w.createKeys, w.updateKey, w.deleteKey}
	for range rapid.IntRange(1, 6).Draw(w.T, "writes") {
		writes[rapid.IntRange(0, len(writes)-1).Draw(w.T, "write")]()
		if w.broken {
			return nil
		}
	}
	if rapid.IntRange(0, 4).Draw(w.T, "take back") == 0 {
		return errTakenBack
	}
	return nil
}

// compare compares all records with those of the database.
func (m *model) compare(t *rapid.T, s *Store) {
	apps, err := s.Apps(context.Background(), AppFilter{}, AppName{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := s.Keys(context.Background(), KeyFilter{}, KeyName{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	got := &model{map[AppName]App{}, map[KeyName]Key{}}
	for _, a := range apps {
		got.apps[a.AppName] = a
	}
	for _, k := range keys {
		got.keys[k.KeyName] = k
	}
	if d := cmp.Diff(m, got, cmp.AllowUnexported(model{})); d != "" {
		t.Fatalf("-model +database\n%s", d)
	}
}

// memories are answers to checks, by question, as the cached store holds them.
type memories map[string][]*keystore.Key

// questions are all that a check can ask.
func questions(s *Store) map[string]func() ([]*keystore.Key, error) {
	ctx := context.Background()
	all := map[string]func() ([]*keystore.Key, error){}
	for _, text := range modelDigests {
		all[digest(text).String()] = func() ([]*keystore.Key, error) {
			k, err := s.ByDigest(ctx, digest(text))
			return []*keystore.Key{k}, err
		}
	}
	for _, id := range modelSigners {
		all["signing id "+id] = func() ([]*keystore.Key, error) { return s.BySigningID(ctx, id) }
	}
	for _, a := range modelApps {
		all[fmt.Sprint("app ", a)] = func() ([]*keystore.Key, error) { return s.ByApp(ctx, a.Namespace, a.Name) }
	}
	return all
}

func answer(t *rapid.T, ask func() ([]*keystore.Key, error)) []*keystore.Key {
	keys, err := ask()
	switch {
	case errors.Is(err, keystore.ErrNotFound):
		return nil
	case err != nil:
		t.Fatal(err)
	}
	slices.SortFunc(keys, func(a, b *keystore.Key) int { return strings.Compare(a.ID, b.ID) })
	return keys
}

// ask remembers the answers to all questions whose answer it does not remember.
func (m memories) ask(t *rapid.T, s *Store) {
	for question, ask := range questions(s) {
		if _, known := m[question]; !known {
			m[question] = answer(t, ask)
		}
	}
}

func (m memories) mustBeTrue(t *rapid.T, s *Store) {
	for question, ask := range questions(s) {
		if keys, known := m[question]; known {
			if d := keystoretest.Diff(keys, answer(t, ask)); d != "" {
				t.Fatalf("%s: -remembered +true\n%s", question, d)
			}
		}
	}
}

func (m memories) Forget(d keystore.Digest) { delete(m, d.String()) }

func (m memories) ForgetSigningID(id string) {
	delete(m, "signing id "+id)
	m.forget(func(k *keystore.Key) bool { return k.Signing != nil && k.Signing.ID == id })
}

func (m memories) ForgetApp(namespace, name string) {
	m.forget(func(k *keystore.Key) bool { return k.App.Namespace == namespace && k.App.Name == name })
	maps.DeleteFunc(m, func(_ string, keys []*keystore.Key) bool { return len(keys) == 0 })
}

func (m memories) forget(which func(*keystore.Key) bool) {
	maps.DeleteFunc(m, func(_ string, keys []*keystore.Key) bool { return slices.ContainsFunc(keys, which) })
}

func (m memories) ForgetAll() { clear(m) }
