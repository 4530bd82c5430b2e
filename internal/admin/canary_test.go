package admin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// TestSecretsAreShownOnce looks for every secret that was made in the log, the record, the database's files and all
// later answers.
func TestSecretsAreShownOnce(t *testing.T) {
	database := sqlite(t)
	s := start(t, database)
	s.acme()
	ctx, keys := t.Context(), s.keys(adminToken)
	secrets := map[string]string{"a token of a caller": adminToken}
	for name, kind := range map[string]adminv1.KeyType{"api": 0, "token": pat, "signer": hmac} {
		made := s.issue(func(r *adminv1.IssueKeyRequest) {
			r.Name, r.Type, r.RequestId = name, kind, requestID[:len(requestID)-len(fmt.Sprint(int(kind)))]+fmt.Sprint(int(kind))
			if kind == pat {
				r.Subject = "ada"
			}
		})
		rotated := must[*adminv1.RotateKeyResponse](t)(keys.RotateKey(ctx, &adminv1.RotateKeyRequest{Namespace: "shop", App: "acme", Name: name}))
		secrets["the "+name], secrets["the successor of the "+name] = made.GetSecret(), rotated.GetSecret()
	}
	var seen strings.Builder
	for _, call := range []func(context.Context) (proto.Message, error){
		func(ctx context.Context) (proto.Message, error) {
			return keys.ListKeys(ctx, &adminv1.ListKeysRequest{})
		},
		func(ctx context.Context) (proto.Message, error) {
			return keys.GetKey(ctx, &adminv1.GetKeyRequest{Namespace: "shop", App: "acme", Name: "signer"})
		},
		func(ctx context.Context) (proto.Message, error) {
			return s.audit(adminToken).ListAuditEvents(ctx, &adminv1.ListAuditEventsRequest{PageSize: 1000})
		},
	} {
		text, err := protojson.Marshal(must[proto.Message](t)(call(ctx)))
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(text)
	}
	files, err := filepath.Glob(database.File + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(text)
	}
	seen.WriteString(s.log.String())
	everything := seen.String()
	for what, secret := range secrets {
		if len(secret) < 30 || strings.Contains(everything, secret) {
			t.Errorf("%s can be found again, or was not shown", what)
		}
	}
	if !strings.Contains(everything, "shop/acme/signer") || !strings.Contains(everything, string(sqlstore.HMACSecret)) {
		t.Error("the search finds nothing at all")
	}
}
