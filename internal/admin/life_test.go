package admin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// must returns what a call answered, or ends the test.
func must[T any](t *testing.T) func(T, error) T {
	return func(answer T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

// acme makes the App shop/acme.
func (s *running) acme() *adminv1.App {
	s.t.Helper()
	return must[*adminv1.CreateAppResponse](s.t)(s.apps(adminToken).CreateApp(s.t.Context(), &adminv1.CreateAppRequest{App: &adminv1.App{
		Namespace: "shop", Name: "acme", Owner: "Acme Ltd", Scopes: []string{"orders:read", "orders:write", "refunds"},
		Labels: map[string]string{"tier": "gold"}, Attributes: map[string]string{"tenant": "t1"},
	}})).GetApp()
}

// issue makes a key of shop/acme.
func (s *running) issue(change ...func(*adminv1.IssueKeyRequest)) *adminv1.IssueKeyResponse {
	s.t.Helper()
	r := &adminv1.IssueKeyRequest{Namespace: "shop", App: "acme", Name: "key"}
	for _, set := range change {
		set(r)
	}
	return must[*adminv1.IssueKeyResponse](s.t)(s.keys(operatorToken).IssueKey(s.t.Context(), r))
}

// check reports whether an API key is good now: nil, or why not.
func (s *running) check(secret string) error {
	s.t.Helper()
	for _, d := range hasher.AppendDigests(nil, authz.Secret(secret)) {
		k, err := s.store.ByDigest(s.t.Context(), d)
		if err == nil {
			return k.Check(s.clock.now())
		}
		if !errors.Is(err, keystore.ErrNotFound) {
			s.t.Fatal(err)
		}
	}
	return keystore.ErrNotFound
}

// expect compares whether keys are good.
func (s *running) expect(when string, good map[string]bool) {
	s.t.Helper()
	for secret, want := range good {
		if err := s.check(secret); (err == nil) != want {
			s.t.Errorf("%s: the key %s…: %v, want good: %v", when, secret[:8], err, want)
		}
	}
}

func TestLifeOfAKey(t *testing.T) {
	both(t, func(t *testing.T, database sqlstore.Options) {
		s := start(t, database)
		ctx, keys := t.Context(), s.keys(operatorToken)
		s.acme()
		first := s.issue(func(r *adminv1.IssueKeyRequest) { r.Ttl = durationpb.New(90 * day) })
		if k := first.GetKey(); !keystore.IsMinted(authz.Secret(first.GetSecret())) || k.GetPrefix() != "pk_" ||
			!strings.HasSuffix(first.GetSecret(), k.GetLastFour()) || len(k.GetLastFour()) != 4 || k.GetState() != adminv1.KeyState_KEY_STATE_ACTIVE {
			t.Errorf("%v", k)
		}
		s.expect("issued", map[string]bool{first.GetSecret(): true})

		rotated := must[*adminv1.RotateKeyResponse](t)(keys.RotateKey(ctx, &adminv1.RotateKeyRequest{
			Namespace: "shop", App: "acme", Name: "key", Successor: "key-2", Overlap: durationpb.New(time.Hour),
		}))
		if got, want := rotated.GetPredecessor().GetExpireTime().AsTime(), s.clock.now().Add(time.Hour); !got.Equal(want) {
			t.Errorf("the old key ends at %v, not %v", got, want)
		}
		if got, want := rotated.GetKey().GetExpireTime().AsTime(), s.clock.now().Add(90*day); !got.Equal(want) {
			t.Errorf("the new key ends at %v, not %v", got, want)
		}
		s.expect("in the overlap", map[string]bool{first.GetSecret(): true, rotated.GetSecret(): true})
		s.clock.advance(time.Hour)
		s.expect("after the overlap", map[string]bool{first.GetSecret(): false, rotated.GetSecret(): true})

		for _, disabled := range []bool{true, false} {
			must[*adminv1.UpdateKeyResponse](t)(keys.UpdateKey(ctx, &adminv1.UpdateKeyRequest{
				Key:        &adminv1.Key{Namespace: "shop", App: "acme", Name: "key-2", Disabled: disabled},
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"disabled"}},
			}))
			s.expect("disabled or not", map[string]bool{rotated.GetSecret(): !disabled})
		}

		revoke := &adminv1.RevokeKeyRequest{Namespace: "shop", App: "acme", Name: "key-2", Reason: "leaked"}
		once := must[*adminv1.RevokeKeyResponse](t)(keys.RevokeKey(ctx, revoke)).GetKey()
		s.expect("revoked", map[string]bool{rotated.GetSecret(): false})
		s.clock.advance(time.Minute)
		if twice := must[*adminv1.RevokeKeyResponse](t)(keys.RevokeKey(ctx, revoke)).GetKey(); twice.GetEtag() != once.GetEtag() {
			t.Errorf("revoking twice changed %v to %v", once, twice)
		}
		_, err := keys.UpdateKey(ctx, &adminv1.UpdateKeyRequest{
			Key:        &adminv1.Key{Namespace: "shop", App: "acme", Name: "key-2"},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"disabled"}},
		})
		if connect.CodeOf(err) != connect.CodeFailedPrecondition {
			t.Errorf("updating a revoked key: %v", err)
		}
		for _, name := range []string{"key", "key-2"} {
			must[*adminv1.DeleteKeyResponse](t)(s.keys(adminToken).DeleteKey(ctx, &adminv1.DeleteKeyRequest{Namespace: "shop", App: "acme", Name: name}))
		}
		_, err = keys.GetKey(ctx, &adminv1.GetKeyRequest{Namespace: "shop", App: "acme", Name: "key"})
		if connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("a deleted key: %v", err)
		}
		must[*adminv1.DeleteAppResponse](t)(s.apps(adminToken).DeleteApp(ctx, &adminv1.DeleteAppRequest{Namespace: "shop", Name: "acme"}))

		var record []string
		for _, e := range must[*adminv1.ListAuditEventsResponse](t)(s.audit(viewerToken).ListAuditEvents(ctx, &adminv1.ListAuditEventsRequest{Namespace: "shop"})).GetEvents() {
			name := e.GetMethod()[strings.LastIndexByte(e.GetMethod(), '/')+1:]
			record = append(record, name+" "+e.GetKey()+" by "+e.GetCaller()+" as "+e.GetRole()+" "+e.GetReason())
		}
		want := `DeleteApp  by shop-admin as admin 
DeleteKey key-2 by shop-admin as admin 
DeleteKey key by shop-admin as admin 
RevokeKey key-2 by shop-operator as operator leaked
UpdateKey key-2 by shop-operator as operator 
UpdateKey key-2 by shop-operator as operator 
RotateKey key by shop-operator as operator 
RotateKey key-2 by shop-operator as operator in place of key
IssueKey key by shop-operator as operator 
CreateApp  by shop-admin as admin `
		if got := strings.Join(record, "\n"); got != want {
			t.Errorf("on record:\n%s\nwant\n%s", got, want)
		}
	})
}

func TestKindsOfKeys(t *testing.T) {
	s := start(t, sqlite(t))
	s.acme()
	token := s.issue(func(r *adminv1.IssueKeyRequest) {
		r.Name, r.Type, r.Subject = "", adminv1.KeyType_KEY_TYPE_PERSONAL_ACCESS_TOKEN, "ada"
	})
	if k := token.GetKey(); k.GetPrefix() != "pat_" || !strings.HasPrefix(k.GetName(), "k-") || len(k.GetName()) != 10 ||
		!k.GetExpireTime().AsTime().Equal(s.clock.now().Add(30*day)) || k.GetSubject() != "ada" {
		t.Errorf("%v", k)
	}

	hmac := s.issue(func(r *adminv1.IssueKeyRequest) {
		r.Name, r.Type, r.Algorithm = "signer", adminv1.KeyType_KEY_TYPE_HMAC_SECRET, "hmac-sha256"
	})
	raw, err := base64.StdEncoding.DecodeString(hmac.GetSecret())
	if err != nil || len(raw) != 32 || hmac.GetKey().GetSigningKeyId() != "shop/acme/signer" {
		t.Errorf("%v, %v", err, hmac.GetKey())
	}
	stored, err := s.store.BySigningID(t.Context(), "shop/acme/signer")
	if err != nil || len(stored) != 1 || stored[0].Signing.Secret.Reveal() != string(raw) {
		t.Errorf("%v, %v", stored, err)
	}

	const public = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	pair := s.issue(func(r *adminv1.IssueKeyRequest) {
		r.Name, r.Type, r.PublicKey, r.SigningKeyId = "pair", adminv1.KeyType_KEY_TYPE_PUBLIC_KEY, public, "acme-1"
	})
	if pair.GetSecret() != "" || pair.GetKey().GetPublicKey() != public {
		t.Errorf("%v", pair)
	}

	sum := sha256.Sum256([]byte("an old key of theirs"))
	imported := must[*adminv1.ImportKeysResponse](t)(s.keys(adminToken).ImportKeys(t.Context(), &adminv1.ImportKeysRequest{
		Namespace: "shop", App: "acme", Keys: []*adminv1.ImportedKey{
			{Name: "old", Digest: strings.ToUpper(hex.EncodeToString(sum[:])), AllScopes: true},
			{Name: "older", Digest: "sha256:" + strings.Repeat("ab", 32), Scopes: []string{"refunds"}},
		},
	})).GetKeys()
	if len(imported) != 2 || !imported[0].GetAllScopes() || imported[1].GetLastFour() != "" {
		t.Errorf("%v", imported)
	}
	s.expect("imported", map[string]bool{"an old key of theirs": true})
}

// TestAppsEnd shows what keeps an App from being deleted.
func TestAppsEnd(t *testing.T) {
	both(t, func(t *testing.T, database sqlstore.Options) {
		s := start(t, database)
		s.acme()
		key := s.issue()
		apps := s.apps(adminToken)
		_, err := apps.DeleteApp(t.Context(), &adminv1.DeleteAppRequest{Namespace: "shop", Name: "acme"})
		if connect.CodeOf(err) != connect.CodeFailedPrecondition {
			t.Errorf("an App with keys: %v", err)
		}
		must[*adminv1.UpdateAppResponse](t)(apps.UpdateApp(t.Context(), &adminv1.UpdateAppRequest{
			App:        &adminv1.App{Namespace: "shop", Name: "acme", Disabled: true},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"disabled"}},
		}))
		s.expect("its App is disabled", map[string]bool{key.GetSecret(): false})
		must[*adminv1.DeleteAppResponse](t)(apps.DeleteApp(t.Context(), &adminv1.DeleteAppRequest{Namespace: "shop", Name: "acme", Force: true}))
		if err := s.check(key.GetSecret()); !errors.Is(err, keystore.ErrNotFound) {
			t.Errorf("the key of a deleted App: %v", err)
		}
		events, err := s.store.Events(context.Background(), sqlstore.EventFilter{Key: "key"}, 0, 10)
		if err != nil || len(events) != 2 || events[0].Reason != "its App was deleted" || events[0].After != nil {
			t.Errorf("%v, %v", events, err)
		}
	})
}

// TestAppsDeclaredLater declares an App that is in the database already: its keys there are refused, so no more are made,
// and those that there are can still be ended.
func TestAppsDeclaredLater(t *testing.T) {
	declared := false
	s := start(t, sqlite(t), func(o *Options) { o.Declared = func(string, string) (string, bool) { return "apps.yaml:3", declared } })
	ctx, apps, keys := t.Context(), s.apps(adminToken), s.keys(adminToken)
	create := &adminv1.CreateAppRequest{App: &adminv1.App{Namespace: "shop", Name: "acme"}, RequestId: requestID}
	must[*adminv1.CreateAppResponse](t)(apps.CreateApp(ctx, create))
	s.issue()
	declared = true
	if _, err := apps.CreateApp(ctx, create); err != nil {
		t.Errorf("a repeated request is answered as before: %v", err)
	}
	for method, call := range map[string]func() error{
		"IssueKey": func() error {
			_, err := keys.IssueKey(ctx, &adminv1.IssueKeyRequest{Namespace: "shop", App: "acme"})
			return err
		},
		"ImportKeys": func() error {
			_, err := keys.ImportKeys(ctx, &adminv1.ImportKeysRequest{
				Namespace: "shop", App: "acme", Keys: []*adminv1.ImportedKey{{Name: "old", Digest: strings.Repeat("01", 32)}},
			})
			return err
		},
		"RotateKey": func() error {
			_, err := keys.RotateKey(ctx, &adminv1.RotateKeyRequest{Namespace: "shop", App: "acme", Name: "key"})
			return err
		},
	} {
		if err := call(); connect.CodeOf(err) != connect.CodeFailedPrecondition || !strings.Contains(err.Error(), "is declared in apps.yaml:3") {
			t.Errorf("%s: %v", method, err)
		}
	}
	if _, err := keys.RevokeKey(ctx, &adminv1.RevokeKeyRequest{Namespace: "shop", App: "acme", Name: "key"}); err != nil {
		t.Error(err)
	}
}
