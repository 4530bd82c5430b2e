package admin

import (
	"context"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

const (
	requestID = "11111111-2222-4333-8444-555555555555"
	another   = "22222222-2222-4333-8444-555555555555"
)

// TestRepeatedRequests repeats every write under its request id: nothing is made or changed twice.
func TestRepeatedRequests(t *testing.T) {
	both(t, func(t *testing.T, database sqlstore.Options) {
		s := start(t, database)
		ctx, apps, keys := t.Context(), s.apps(adminToken), s.keys(adminToken)
		twice := func(what string, call func(ctx context.Context) (proto.Message, error)) (first, second proto.Message) {
			t.Helper()
			first = must[proto.Message](t)(call(ctx))
			before := len(s.events())
			second = must[proto.Message](t)(call(ctx))
			if after := len(s.events()); after != before {
				t.Errorf("%s: the repeated request put %d events on record", what, after-before)
			}
			return first, second
		}
		same := func(what string, call func(ctx context.Context) (proto.Message, error)) {
			t.Helper()
			first, second := twice(what, call)
			if diff := cmp.Diff(first, second, protocmp.Transform()); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
		same("CreateApp", func(ctx context.Context) (proto.Message, error) {
			return apps.CreateApp(ctx, &adminv1.CreateAppRequest{App: &adminv1.App{Namespace: "shop", Name: "acme"}, RequestId: requestID})
		})
		same("UpdateApp", func(ctx context.Context) (proto.Message, error) {
			return apps.UpdateApp(ctx, &adminv1.UpdateAppRequest{
				App:        &adminv1.App{Namespace: "shop", Name: "acme", Owner: "them"},
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"owner"}}, RequestId: requestID,
			})
		})
		a, b := twice("IssueKey", func(ctx context.Context) (proto.Message, error) {
			return keys.IssueKey(ctx, &adminv1.IssueKeyRequest{Namespace: "shop", App: "acme", RequestId: requestID})
		})
		first, second := a.(*adminv1.IssueKeyResponse), b.(*adminv1.IssueKeyResponse)
		if diff := cmp.Diff(first.GetKey(), second.GetKey(), protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
		if first.GetSecret() == "" || first.GetNotice() != "" || second.GetSecret() != "" || !strings.Contains(second.GetNotice(), "rotate the key") {
			t.Errorf("IssueKey: %q and then %q", first.GetNotice(), second.GetNotice())
		}
		name := first.GetKey().GetName()
		a, b = twice("RotateKey", func(ctx context.Context) (proto.Message, error) {
			return keys.RotateKey(ctx, &adminv1.RotateKeyRequest{
				Namespace: "shop", App: "acme", Name: name, Overlap: durationpb.New(0), RequestId: requestID,
			})
		})
		rotated, again := a.(*adminv1.RotateKeyResponse), b.(*adminv1.RotateKeyResponse)
		if again.GetSecret() != "" || again.GetNotice() == "" || rotated.GetSecret() == "" {
			t.Errorf("RotateKey: %v", again.GetNotice())
		}
		again.Secret, again.Notice = rotated.GetSecret(), ""
		if diff := cmp.Diff(rotated, again, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
		same("ImportKeys", func(ctx context.Context) (proto.Message, error) {
			return keys.ImportKeys(ctx, &adminv1.ImportKeysRequest{Namespace: "shop", App: "acme", RequestId: requestID, Keys: []*adminv1.ImportedKey{
				{Name: "one", Digest: strings.Repeat("01", 32)}, {Name: "two", Digest: strings.Repeat("02", 32)},
			}})
		})
		same("UpdateKey", func(ctx context.Context) (proto.Message, error) {
			return keys.UpdateKey(ctx, &adminv1.UpdateKeyRequest{
				Key:        &adminv1.Key{Namespace: "shop", App: "acme", Name: "one", Description: "theirs"},
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description"}}, RequestId: requestID,
			})
		})
		same("RevokeKey", func(ctx context.Context) (proto.Message, error) {
			return keys.RevokeKey(ctx, &adminv1.RevokeKeyRequest{Namespace: "shop", App: "acme", Name: "one", RequestId: requestID})
		})
		same("DeleteKey", func(ctx context.Context) (proto.Message, error) {
			return keys.DeleteKey(ctx, &adminv1.DeleteKeyRequest{Namespace: "shop", App: "acme", Name: "one", RequestId: requestID})
		})
		same("DeleteApp", func(ctx context.Context) (proto.Message, error) {
			return apps.DeleteApp(ctx, &adminv1.DeleteAppRequest{Namespace: "shop", Name: "acme", Force: true, RequestId: requestID})
		})
		_, err := keys.IssueKey(ctx, &adminv1.IssueKeyRequest{Namespace: "shop", App: "acme", RequestId: requestID})
		if connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("a repeated request whose key is gone: %v", err)
		}
	})
}

func (s *running) events() []sqlstore.Event {
	s.t.Helper()
	return must[[]sqlstore.Event](s.t)(s.store.Events(s.t.Context(), sqlstore.EventFilter{}, 0, 1000))
}

// TestRequestIDs shows what an id stands for: one request of one caller, for a day.
func TestRequestIDs(t *testing.T) {
	s := start(t, sqlite(t))
	s.acme()
	issue := func(token, id, description string) (*adminv1.IssueKeyResponse, error) {
		return s.keys(token).IssueKey(t.Context(), &adminv1.IssueKeyRequest{Namespace: "shop", App: "acme", RequestId: id, Description: description})
	}
	first := must[*adminv1.IssueKeyResponse](t)(issue(operatorToken, requestID, "a"))
	_, err := issue(operatorToken, requestID, "b")
	if diff := cmp.Diff([]string{
		"request_id: another request was made under this id within a day; make a new id for each request",
	}, fields(err)); diff != "" {
		t.Error(diff)
	}
	for what, k := range map[string]*adminv1.IssueKeyResponse{
		"of another caller": must[*adminv1.IssueKeyResponse](t)(issue(adminToken, requestID, "a")),
		"with another id":   must[*adminv1.IssueKeyResponse](t)(issue(operatorToken, another, "a")),
		"without an id":     must[*adminv1.IssueKeyResponse](t)(issue(operatorToken, "", "a")),
	} {
		if k.GetSecret() == "" || k.GetKey().GetName() == first.GetKey().GetName() {
			t.Errorf("a request %s is another: %v", what, k.GetKey())
		}
	}
	s.clock.advance(25 * day / 24)
	if k := must[*adminv1.IssueKeyResponse](t)(issue(operatorToken, requestID, "a")); k.GetSecret() == "" {
		t.Error("the request is still remembered after a day")
	}
	_, err = issue(operatorToken, "not-a-uuid", "")
	if diff := cmp.Diff([]string{"request_id: must be a valid UUID"}, fields(err)); diff != "" {
		t.Error(diff)
	}
	// What failed was not carried out, and may be tried again under its id.
	const tried = "33333333-2222-4333-8444-555555555555"
	late := func() error {
		_, err := s.keys(operatorToken).IssueKey(t.Context(), &adminv1.IssueKeyRequest{Namespace: "shop", App: "late", RequestId: tried})
		return err
	}
	if err := late(); connect.CodeOf(err) != connect.CodeNotFound {
		t.Error(err)
	}
	must[*adminv1.CreateAppResponse](t)(s.apps(adminToken).CreateApp(t.Context(), &adminv1.CreateAppRequest{App: &adminv1.App{Namespace: "shop", Name: "late"}}))
	if err := late(); err != nil {
		t.Error(err)
	}
}

// TestRacingRequests sends one request many times at once: one key is made.
func TestRacingRequests(t *testing.T) {
	both(t, func(t *testing.T, database sqlstore.Options) {
		s := start(t, database)
		s.acme()
		keys := s.keys(operatorToken)
		answers := make([]*adminv1.IssueKeyResponse, 20)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				var err error
				answers[i], err = keys.IssueKey(t.Context(), &adminv1.IssueKeyRequest{Namespace: "shop", App: "acme", RequestId: requestID})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		secrets, names := 0, map[string]bool{}
		for _, a := range answers {
			names[a.GetKey().GetName()] = true
			if a.GetSecret() != "" {
				secrets++
			}
		}
		if len(names) != 1 || secrets != 1 {
			t.Errorf("%d keys, of which %d secrets were shown", len(names), secrets)
		}
	})
}
