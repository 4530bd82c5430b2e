package admin

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
	"github.com/postern-auth/postern/proto/postern/admin/v1/adminv1connect"
)

// fields returns the field violations of an error, each as field: description.
func fields(err error) (list []string) {
	for _, detail := range connectError(err).Details() {
		value, err := detail.Value()
		if bad, ok := value.(*errdetails.BadRequest); err == nil && ok {
			for _, v := range bad.GetFieldViolations() {
				list = append(list, v.GetField()+": "+v.GetDescription())
			}
		}
	}
	return list
}

// protocolClient speaks one protocol.
type protocolClient struct {
	adminv1connect.AppServiceClient
	adminv1connect.KeyServiceClient
}

func (s *running) protocol(name, token string) protocolClient {
	client := s.client(token, name == "gRPC")
	return protocolClient{
		adminv1connect.NewAppServiceClient(client, s.url, protocols[name]...),
		adminv1connect.NewKeyServiceClient(client, s.url, protocols[name]...),
	}
}

// TestCodes provokes every code that the API answers with, through each protocol.
func TestCodes(t *testing.T) {
	for name := range protocols {
		t.Run(name, func(t *testing.T) {
			panics := false
			s := start(t, sqlite(t), func(o *Options) {
				o.Declared = func(namespace, app string) (string, bool) {
					if panics {
						panic("secret-in-a-panic")
					}
					return "apps.yaml:3", namespace+"/"+app == "shop/declared"
				}
			})
			s.acme()
			s.issue()
			c := s.protocol(name, adminToken)
			for _, tc := range []struct {
				what    string
				call    func(ctx context.Context) error
				want    connect.Code
				message string // is part of it
				fields  []string
			}{
				{"no credential", func(ctx context.Context) error {
					_, err := s.protocol(name, "").GetApp(ctx, &adminv1.GetAppRequest{Namespace: "shop", Name: "acme"})
					return err
				}, connect.CodeUnauthenticated, "authenticate with a caller's token", nil},
				{"too small a role", func(ctx context.Context) error {
					_, err := s.protocol(name, viewerToken).IssueKey(ctx, &adminv1.IssueKeyRequest{Namespace: "shop", App: "acme"})
					return err
				}, connect.CodePermissionDenied, `KeyService/IssueKey needs the role operator in the namespace "shop", and shop-viewer is viewer there`, nil},
				{"a rule of the protos", func(ctx context.Context) error {
					_, err := c.GetKey(ctx, &adminv1.GetKeyRequest{Namespace: "shop"})
					return err
				}, connect.CodeInvalidArgument, "", []string{"app: must be at least 1 characters", "name: must be at least 1 characters"}},
				{"a rule of ours", func(ctx context.Context) error {
					_, err := c.IssueKey(ctx, &adminv1.IssueKeyRequest{
						Namespace: "shop", App: "acme", Scopes: []string{"orders:read", "payouts", "admin"},
					})
					return err
				}, connect.CodeInvalidArgument, "", []string{"scopes: the App shop/acme does not have payouts, admin; leave them out, or give them to the App first"}},
				{"no such App", func(ctx context.Context) error {
					_, err := c.GetApp(ctx, &adminv1.GetAppRequest{Namespace: "shop", Name: "nobody"})
					return err
				}, connect.CodeNotFound, "there is no App shop/nobody in the database", nil},
				{"the App exists", func(ctx context.Context) error {
					_, err := c.CreateApp(ctx, &adminv1.CreateAppRequest{App: &adminv1.App{Namespace: "shop", Name: "acme"}})
					return err
				}, connect.CodeAlreadyExists, "the app shop/acme exists", nil},
				{"the App is declared", func(ctx context.Context) error {
					_, err := c.CreateApp(ctx, &adminv1.CreateAppRequest{App: &adminv1.App{Namespace: "shop", Name: "declared"}})
					return err
				}, connect.CodeAlreadyExists, "the App shop/declared is declared in apps.yaml:3, and cannot be in the database too", nil},
				{"keys of a declared App", func(ctx context.Context) error {
					_, err := c.IssueKey(ctx, &adminv1.IssueKeyRequest{Namespace: "shop", App: "declared"})
					return err
				}, connect.CodeFailedPrecondition, "the App shop/declared is declared in apps.yaml:3; add its keys there", nil},
				{"an old etag", func(ctx context.Context) error {
					_, err := c.UpdateApp(ctx, &adminv1.UpdateAppRequest{
						App:        &adminv1.App{Namespace: "shop", Name: "acme", Etag: "old"},
						UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"owner"}},
					})
					return err
				}, connect.CodeAborted, "the object has changed since it was read", nil},
				{"an active key", func(ctx context.Context) error {
					_, err := c.DeleteKey(ctx, &adminv1.DeleteKeyRequest{Namespace: "shop", App: "acme", Name: "key"})
					return err
				}, connect.CodeFailedPrecondition, "the key shop/acme/key is active; revoke it first", nil},
				{"a panic", func(ctx context.Context) error {
					panics = true
					defer func() { panics = false }()
					_, err := c.CreateApp(ctx, &adminv1.CreateAppRequest{App: &adminv1.App{Namespace: "shop", Name: "new"}})
					return err
				}, connect.CodeInternal, "something is wrong with the server", nil},
				{"too large a request", func(ctx context.Context) error {
					_, err := c.GetApp(ctx, &adminv1.GetAppRequest{Namespace: "shop", Name: strings.Repeat("x", maxMessage)})
					return err
				}, connect.CodeResourceExhausted, "", nil},
				{"a method that is not there", func(ctx context.Context) error {
					_, err := connect.NewClient[adminv1.GetAppRequest, adminv1.GetAppResponse](
						s.client(adminToken, name == "gRPC"), s.url+"/postern.admin.v1.AppService/Nothing", protocols[name]...,
					).CallUnary(ctx, connect.NewRequest(&adminv1.GetAppRequest{}))
					return err
				}, connect.CodeUnimplemented, "", nil},
				{"no database", func(ctx context.Context) error {
					_ = s.store.Close()
					_, err := c.GetApp(ctx, &adminv1.GetAppRequest{Namespace: "shop", Name: "acme"})
					return err
				}, connect.CodeUnavailable, "the database of keys cannot be reached", nil},
			} {
				err := tc.call(t.Context())
				if connect.CodeOf(err) != tc.want || !strings.Contains(connectError(err).Message(), tc.message) {
					t.Errorf("%s: %v, want %s: …%s…", tc.what, err, tc.want, tc.message)
				}
				if diff := cmp.Diff(tc.fields, fields(err)); diff != "" {
					t.Errorf("%s: %s", tc.what, diff)
				}
			}
			if strings.Contains(s.log.String(), "secret-in-a-panic") || !strings.Contains(s.log.String(), "ended in a panic") {
				t.Errorf("log:\n%s", s.log)
			}
		})
	}
}

// TestFailures shows that who fails too often is told to wait, and that nobody else is.
func TestFailures(t *testing.T) {
	for name := range protocols {
		t.Run(name, func(t *testing.T) {
			calls := counts{}
			s := start(t, sqlite(t), func(o *Options) { o.Observe = calls.add })
			s.acme()
			get := &adminv1.GetAppRequest{Namespace: "shop", Name: "acme"}
			wrong, right := s.protocol(name, viewerToken+"x"), s.protocol(name, viewerToken)
			for range failuresAtOnce {
				_, err := wrong.GetApp(t.Context(), get)
				if connect.CodeOf(err) != connect.CodeUnauthenticated {
					t.Fatal(err)
				}
			}
			_, err := wrong.GetApp(t.Context(), get)
			if connect.CodeOf(err) != connect.CodeResourceExhausted || connectError(err).Meta().Get("Retry-After") != "5" {
				t.Errorf("%v, %v", err, connectError(err).Meta())
			}
			details := connectError(err).Details()
			if len(details) != 1 {
				t.Fatal(details)
			}
			value, err := details[0].Value()
			if retry, ok := value.(*errdetails.RetryInfo); err != nil || !ok || retry.GetRetryDelay().AsDuration() != failureEvery {
				t.Errorf("%v, %v", value, err)
			}
			if _, err := right.GetApp(t.Context(), get); err != nil {
				t.Errorf("a good token from the same address: %v", err)
			}
			s.clock.advance(failureEvery)
			if _, err := wrong.GetApp(t.Context(), get); connect.CodeOf(err) != connect.CodeUnauthenticated {
				t.Errorf("after the wait: %v", err)
			}
			method := "postern.admin.v1.AppService/GetApp"
			want := map[string]int{
				method + " unauthenticated": failuresAtOnce + 1, method + " resource_exhausted": 1, method + " ok": 1,
				"postern.admin.v1.AppService/CreateApp ok": 1,
			}
			if diff := cmp.Diff(want, calls.read()); diff != "" {
				t.Errorf("counted: -want +got:\n%s", diff)
			}
		})
	}
}

// TestConstantAnswer compares what is said to credentials that are wrong in different ways.
func TestConstantAnswer(t *testing.T) {
	s := start(t, sqlite(t))
	answers := map[string]bool{}
	for _, header := range [][]string{
		nil, {""}, {"Bearer"}, {"Bearer "}, {"Bearer short"}, {"Basic " + viewerToken}, {"Bearer " + viewerToken + "x"},
		{"Bearer " + viewerToken, "Bearer " + viewerToken}, {"bearer  " + viewerToken},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+adminv1connect.AppServiceListAppsProcedure, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Authorization"] = header
		r.Header.Set("Content-Type", "application/json")
		s.clock.advance(failureEvery)
		answers[answerOf(t, s.client("", false), r)] = true
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/plain") // of no protocol of ours
	if got := answerOf(t, s.client("", false), r); !strings.HasPrefix(got, "401 Bearer authenticate with") {
		t.Error(got)
	}
}

// counts are calls by method and code.
type counts struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counts) add(method, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[method+" "+code]++
}

func (c *counts) read() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}

// TestWhatIsCounted shows that strangers cannot make up methods.
func TestWhatIsCounted(t *testing.T) {
	calls := counts{}
	s := start(t, sqlite(t), func(o *Options) { o.Observe = calls.add })
	s.post("", "/made.up/Method", "{}")
	s.post(viewerToken, adminv1connect.AppServiceCreateAppProcedure, `{"app": {"namespace": "shop", "name": "acme"}}`)
	want := map[string]int{"_other unauthenticated": 1, "postern.admin.v1.AppService/CreateApp permission_denied": 1}
	if diff := cmp.Diff(want, calls.read()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n := s.store.Stats().Events; n != 1 {
		t.Errorf("%d events were counted, of one call refused", n)
	}
}
