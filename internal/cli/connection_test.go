package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/postern-auth/postern/internal/authz"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// contextFile writes a file of contexts and makes the environment name it.
func contextFile(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "contexts.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("POSTERN_CONTEXTS", path)
	return dir
}

func TestFlagsThenEnvironmentThenContext(t *testing.T) {
	dir := contextFile(t, `
current: one
contexts:
  one: {server: "https://one:9002", tokenFile: one.token, namespace: shop}
  two: {server: "https://two:9002", caFile: /etc/ca.pem}
`)
	for _, tc := range []struct {
		name    string
		flags   connection
		env     map[string]string
		want    endpoint
		wantErr string
	}{
		{name: "the current context", want: endpoint{Server: "https://one:9002", TokenFile: filepath.Join(dir, "one.token"), Namespace: "shop"}},
		{
			name: "a context by its flag", flags: connection{contextName: "two"},
			want: endpoint{Server: "https://two:9002", CAFile: "/etc/ca.pem", Namespace: "default"},
		},
		{
			name: "a context by the environment", env: map[string]string{"POSTERN_CONTEXT": "two"},
			want: endpoint{Server: "https://two:9002", CAFile: "/etc/ca.pem", Namespace: "default"},
		},
		{
			name: "the environment before the context", env: map[string]string{"POSTERN_SERVER": "http://env:1", "POSTERN_NAMESPACE": "env"},
			want: endpoint{Server: "http://env:1", TokenFile: filepath.Join(dir, "one.token"), Namespace: "env"},
		},
		{
			name: "flags before the environment", flags: connection{at: endpoint{Server: "http://flag:1"}}, env: map[string]string{"POSTERN_SERVER": "http://env:1"},
			want: endpoint{Server: "http://flag:1", TokenFile: filepath.Join(dir, "one.token"), Namespace: "shop"},
		},
		{name: "no such context", flags: connection{contextName: "three"}, wantErr: `has no context "three"; it has: one, two`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, value := range tc.env {
				t.Setenv(name, value)
			}
			err := tc.flags.resolve()
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("%v; want %s", err, tc.wantErr)
				}
				return
			}
			if diff := cmp.Diff(tc.want, tc.flags.at); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func TestContextFileIsStrict(t *testing.T) {
	contextFile(t, "contexts:\n  one: {servr: x}\n")
	if err := new(connection).resolve(); err == nil || !strings.Contains(err.Error(), "servr") {
		t.Error(err)
	}
	t.Setenv("POSTERN_CONTEXTS", "/nonexistent/contexts.yaml")
	if err := new(connection).resolve(); err == nil {
		t.Error("a file that the environment names may be missing")
	}
}

// TestATokenIsNotSentInPlainText names servers beyond the machine without TLS.
func TestATokenIsNotSentInPlainText(t *testing.T) {
	dir := contextFile(t, "")
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("a test token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for server, private := range map[string]bool{
		"http://postern.example.com:9002":  false,
		"http://192.0.2.1:9002":            false,
		"http://127.0.0.1.example.com":     false,
		"https://postern.example.com:9002": true,
		"http://127.0.0.1:9002":            true,
		"http://[::1]:9002":                true,
		"http://localhost:9002":            true,
		"unix:///run/postern/admin.sock":   true,
	} {
		_, err := (&connection{at: endpoint{Server: server, TokenFile: token}}).dial()
		if (err == nil) != private {
			t.Errorf("%s: %v", server, err)
		}
		if err != nil && strings.Contains(err.Error(), "a test token") {
			t.Errorf("it shows the token: %v", err)
		}
	}
	for _, server := range []string{"postern", "ftp://postern", "http://", ":"} {
		if _, err := (&connection{at: endpoint{Server: server}}).dial(); err == nil {
			t.Errorf("%q is no server", server)
		}
	}
}

// TestLostAnswersAreAskedForAgain cuts the first connections off after the request has arrived.
func TestLostAnswersAreAskedForAgain(t *testing.T) {
	contextFile(t, "")
	var ids []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		ids = append(ids, string(body))
		if len(ids) < attempts {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/proto")
	}))
	defer server.Close()
	var out, errOut strings.Builder
	if code := run(t.Context(), []string{"keys", "revoke", "acme/ci", "--yes", "--server", server.URL}, Build{}, nil, &out, &errOut); code != exitDone {
		t.Fatalf("exit %d: %s", code, &errOut)
	}
	if len(ids) != attempts || ids[0] != ids[1] || ids[1] != ids[2] {
		t.Errorf("%d requests, which are not the same: %q", len(ids), ids)
	}
}

// TestALostSecretIsNoSuccess has a server whose first answer, with the key's text, gets lost.
func TestALostSecretIsNoSuccess(t *testing.T) {
	contextFile(t, "")
	key := &adminv1.Key{Namespace: "default", App: "acme", Name: "ci"}
	answers := map[string]proto.Message{
		"issue":  &adminv1.IssueKeyResponse{Key: key, Notice: "rotate it"},
		"rotate": &adminv1.RotateKeyResponse{Key: key, Notice: "rotate it"},
	}
	for command, target := range map[string]string{"issue": "acme", "rotate": "acme/old"} {
		body, err := proto.Marshal(answers[command])
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/proto")
			_, _ = w.Write(body)
		}))
		for _, format := range []format{asText, asJSON} {
			var out, errOut strings.Builder
			args := []string{"keys", command, target, "--server", server.URL, "-o", string(format)}
			code := run(t.Context(), args, Build{}, nil, &out, &errOut)
			if want := "postern: acme/ci is made, but its text is lost: rotate it\n"; code != exitFailed || !strings.HasSuffix(errOut.String(), want) {
				t.Errorf("%s -o %s: exit %d: %s", command, format, code, &errOut)
			}
		}
		server.Close()
	}
}

// TestNoRedirectIsFollowed has a server that sends callers elsewhere, where nobody may hear the token.
func TestNoRedirectIsFollowed(t *testing.T) {
	dir := contextFile(t, "")
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("a test token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	calls := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	var out, errOut strings.Builder
	code := run(t.Context(), []string{"keys", "revoke", "acme/ci", "--yes", "--server", server.URL, "--token-file", token}, Build{}, nil, &out, &errOut)
	if code != exitFailed || calls != 0 {
		t.Errorf("exit %d after %d calls elsewhere: %s", code, calls, &errOut)
	}
}

// TestNothingIsAskedWhereNobodyAnswers has no terminal, as a job of cron has none: only --yes says yes.
func TestNothingIsAskedWhereNobodyAnswers(t *testing.T) {
	contextFile(t, "")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	for _, in := range []io.Reader{null, strings.NewReader("y\n")} {
		var out, errOut strings.Builder
		code := run(t.Context(), []string{"keys", "revoke", "acme/ci"}, Build{}, in, &out, &errOut)
		if code != exitUsage || !strings.Contains(errOut.String(), "give --yes to go on") {
			t.Errorf("exit %d: %s", code, &errOut)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	contextFile(t, "")
	var out, errOut strings.Builder
	socket := filepath.Join(t.TempDir(), "none.sock")
	if code := run(t.Context(), []string{"apps", "list", "--server", "unix://" + socket}, Build{}, nil, &out, &errOut); code != exitFailed {
		t.Errorf("exit %d", code)
	}
	if !strings.Contains(errOut.String(), "cannot be reached") || !strings.Contains(errOut.String(), "--server") {
		t.Errorf("it does not say what to do: %s", &errOut)
	}
}

// TestSomebodyThere reaches a server that says itself that it cannot help.
func TestSomebodyThere(t *testing.T) {
	contextFile(t, "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"code": "unavailable", "message": "the database of keys cannot be reached"}`)
	}))
	defer server.Close()
	var out, errOut strings.Builder
	code := run(t.Context(), []string{"apps", "list", "--server", server.URL}, Build{}, nil, &out, &errOut)
	if want := "postern: unavailable: the database of keys cannot be reached\n"; code != exitFailed || errOut.String() != want {
		t.Errorf("exit %d: %q, want %q", code, &errOut, want)
	}
}

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{"36h": 36 * time.Hour, "14d": 14 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "0s": 0, "1h30m": 90 * time.Minute} {
		var s span
		if err := s.Set(text); err != nil || s.Duration != want || s.proto() == nil {
			t.Errorf("%q: %v, %v", text, s.Duration, err)
		}
	}
	for _, text := range []string{"", "14", "-1h", "-1d", "1.5d", "99999999d", "d", "1y"} {
		if err := new(span).Set(text); err == nil {
			t.Errorf("%q is no duration", text)
		}
	}
	if new(span).proto() != nil {
		t.Error("a flag that was not given has a value")
	}
}

func TestMoment(t *testing.T) {
	for text, want := range map[string]string{
		"2027-01-31": "2027-01-31T00:00:00Z", "2027-01-31T12:00:00Z": "2027-01-31T12:00:00Z", "2027-01-31T12:00:00+02:00": "2027-01-31T10:00:00Z",
	} {
		var m moment
		if err := m.Set(text); err != nil || m.String() != want {
			t.Errorf("%q: %s, %v", text, m.String(), err)
		}
	}
	for _, text := range []string{"", "tomorrow", "2027-13-01", "2027-01-31 12:00"} {
		if err := new(moment).Set(text); err == nil {
			t.Errorf("%q is no time", text)
		}
	}
}

func TestReadImport(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	keys, err := readImport("-", strings.NewReader("# old keys\n\none "+sum+"\n two\tsha256:"+sum+"  a:read,b:read\n"))
	if err != nil || len(keys) != 2 || keys[0].Name != "one" || keys[1].Digest != "sha256:"+sum || !cmp.Equal(keys[1].Scopes, []string{"a:read", "b:read"}) {
		t.Errorf("%v, %v", keys, err)
	}
	secret := authz.Secret("pk_test_secret")
	for _, text := range []string{"", "# nothing\n", secret.Reveal() + "\n", "one two three " + secret.Reveal() + "\n"} {
		_, err := readImport("-", strings.NewReader(text))
		if err == nil || strings.Contains(err.Error(), secret.Reveal()) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
