package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/postern-auth/postern/internal/config"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
	"github.com/postern-auth/postern/proto/postern/admin/v1/adminv1connect"
)

const adminToken = "a token of thirty-two bytes or more"

// withAdmin serves the admin API to one caller, who may do everything.
func withAdmin(t *testing.T) func(*config.Config) {
	dir := t.TempDir()
	sum := sha256.Sum256([]byte(adminToken))
	writeFile(t, filepath.Join(dir, "callers.yaml"), `
callers:
- name: ann
  tokenDigest: sha256:`+hex.EncodeToString(sum[:])+`
  roles: [{role: admin, namespaces: ["*"]}]
`)
	return func(cfg *config.Config) {
		cfg.Admin.Address = config.Address("unix://" + filepath.Join(dir, "admin"))
		cfg.Admin.CallersFile = filepath.Join(dir, "callers.yaml")
	}
}

// bearer calls the admin API with the token.
type bearer struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+adminToken)
	return b.next.RoundTrip(r)
}

func (i *instance) adminClient() *http.Client {
	dialer := &net.Dialer{}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", strings.TrimPrefix(string(i.cfg.Admin.Address), "unix://"))
	}}
	return &http.Client{Transport: bearer{transport}}
}

// TestAdmin issues and revokes a key by the API. Each is in force when it is answered.
func TestAdmin(t *testing.T) {
	i := start(t, shop(t), withSQLite(t), withAdmin(t))
	ctx := t.Context()
	apps := adminv1connect.NewAppServiceClient(i.adminClient(), "http://admin")
	keys := adminv1connect.NewKeyServiceClient(i.adminClient(), "http://admin")

	_, err := apps.CreateApp(ctx, &adminv1.CreateAppRequest{App: &adminv1.App{Namespace: "shop", Name: "partner"}})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := keys.IssueKey(ctx, &adminv1.IssueKeyRequest{Namespace: "shop", App: "partner", Name: "one"})
	if err != nil {
		t.Fatal(err)
	}
	i.answers(issued.GetSecret(), 200, "shop/partner")
	if _, err := keys.RevokeKey(ctx, &adminv1.RevokeKeyRequest{Namespace: "shop", App: "partner", Name: "one"}); err != nil {
		t.Fatal(err)
	}
	i.answers(issued.GetSecret(), 401, "")
	if strings.Contains(i.out.String(), issued.GetSecret()) {
		t.Error("the log repeats the key")
	}
	for series, want := range map[string]string{
		`postern_admin_requests_total{code="ok",method="postern.admin.v1.KeyService/IssueKey"}`: "1",
		"postern_audit_events_total": "3",
	} {
		if got := i.metric(series); got != want {
			t.Errorf("%s is %q, want %s", series, got, want)
		}
	}

	_, err = apps.CreateApp(ctx, &adminv1.CreateAppRequest{App: &adminv1.App{Namespace: "shop", Name: "declared"}})
	want := "the App shop/declared is declared in " + filepath.Join(i.dir, "app.yaml") + ":2"
	if connect.CodeOf(err) != connect.CodeAlreadyExists || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want …%s…", err, want)
	}
}

// TestAdminIsOff where nobody may call: nothing listens.
func TestAdminIsOff(t *testing.T) {
	i := start(t, shop(t), withSQLite(t), func(cfg *config.Config) {
		cfg.Admin.Address = config.Address("unix://" + filepath.Join(t.TempDir(), "admin"))
	})
	if r, err := i.adminClient().Get("http://admin/"); err == nil {
		_ = r.Body.Close()
		t.Error("something listens")
	}
}

// TestAdminCannotStart says at the start what is wrong, and leaves nothing behind.
func TestAdminCannotStart(t *testing.T) {
	_, err := assemble(t, nil, withSQLite(t), withAdmin(t), func(cfg *config.Config) { cfg.Admin.CallersFile += "x" })
	if err == nil || !strings.HasPrefix(err.Error(), "admin.callersFile: open ") {
		t.Error(err)
	}
	i, err := assemble(t, shop(t), withSQLite(t), withAdmin(t), func(cfg *config.Config) { cfg.Admin.Address = cfg.Ops.Address })
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "admin.address: ") {
		t.Error(err)
	}
}
