package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/authz"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 7e6, time.UTC)

func sample() (*authz.Request, authz.Decision) {
	r := &authz.Request{
		ID: "r-1", Method: "GET", Host: "orders.example.com", Path: "/orders/7", Query: "page=2", HasQuery: true,
		Source: authz.Peer{Address: "10.0.0.9", Port: 4711}, Now: noon,
	}
	d := authz.Deny(authz.ReasonMissingScope, errors.New("needs orders:write"))
	d.Policy, d.Rule, d.Scheme = "shop/orders", "write", "shop/partner-key"
	d.Principal = &authz.Principal{Subject: "app:shop/acme", App: "shop/acme", KeyID: "shop/acme/2026-q4"}
	return r, d
}

func TestLine(t *testing.T) {
	r, d := sample()
	for _, tt := range []struct {
		name   string
		change func()
		want   string
	}{
		{"full", func() {}, `{"time":"2026-11-21T12:00:00.007Z","decision":"deny","reason":"missing_scope","status":403,` +
			`"policy":"shop/orders","rule":"write","scheme":"shop/partner-key","subject":"app:shop/acme","app":"shop/acme",` +
			`"keyId":"shop/acme/2026-q4","method":"GET","host":"orders.example.com","path":"/orders/7","requestId":"r-1",` +
			`"source":"10.0.0.9","tookUs":12,"error":"needs orders:write"}` + "\n"},
		{"sparse", func() { *r = authz.Request{Now: noon}; d = authz.Decision{} },
			`{"time":"2026-11-21T12:00:00.007Z","decision":"deny","reason":"undecided","status":503,"tookUs":12}` + "\n"},
		{"fragment and raw bytes", func() { r.Path, r.Host, r.Method = "/a\x00\r\n\"\\\u202e\U000e0001é\xff#t=s", "", "" },
			`{"time":"2026-11-21T12:00:00.007Z","decision":"deny","reason":"undecided","status":503,` +
				`"path":"/a\u0000\u000d\u000a\"\\\u202e\udb40\udc01é` + "\ufffd" + `","tookUs":12}` + "\n"},
		{"long", func() { r.Path = "/" + strings.Repeat("é", 600) },
			`{"time":"2026-11-21T12:00:00.007Z","decision":"deny","reason":"undecided","status":503,` +
				`"path":"/` + strings.Repeat("é", 512) + `…","tookUs":12}` + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.change()
			if diff := cmp.Diff(tt.want, string(appendDecision(nil, r, &d, 12*time.Microsecond+999))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWhatIsLogged(t *testing.T) {
	allow := decided(authz.ReasonAuthenticated, "p", "r")
	deny := decided(authz.ReasonNoCredential, "p", "r")
	shadow := authz.Allow(authz.ReasonNoCredential, authz.Mutation{})
	observing := allow
	observing.Shadow = true // a policy in Shadow mode that would have allowed as well
	for _, tt := range []struct {
		name    string
		options Options
		want    []string
	}{
		{"nothing", Options{}, nil},
		{"denials", Options{Denials: true}, []string{"deny", "shadow_deny"}},
		{"allows", Options{SampleAllows: 1}, []string{"allow", "allow"}},
		{"all", Options{Denials: true, SampleAllows: 1}, []string{"allow", "allow", "deny", "shadow_deny"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tt.options.DecisionLog = &out
			tel := New(tt.options)
			for _, d := range []authz.Decision{allow, observing, deny, shadow} {
				tel.Observe(&authz.Request{}, &d, 0)
			}
			if err := tel.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, line := range parse(t, &out) {
				got = append(got, line["decision"].(string))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSampleIsAShare(t *testing.T) {
	const checks, share = 100_000, 0.1
	l, d, n := &decisionLog{sample: share}, decided(authz.ReasonAuthenticated, "p", "r"), 0.0
	for range checks {
		if l.wants(&d) {
			n++
		}
	}
	deviation := math.Sqrt(checks * share * (1 - share))
	if math.Abs(n-checks*share) > 6*deviation {
		t.Errorf("%v of %d were sampled at %v", n, checks, share)
	}
}

// TestLinesOutliveTheRequest reuses the buffer that the request's strings lie in, as the receive buffer is.
func TestLinesOutliveTheRequest(t *testing.T) {
	var out bytes.Buffer
	tel := New(Options{DecisionLog: &out, Denials: true})
	buffer := []byte("orders.example.com")
	r := &authz.Request{Host: unsafe.String(&buffer[0], len(buffer)), Path: unsafe.String(&buffer[0], len(buffer))}
	d := decided(authz.ReasonNoPolicy, "", "")
	tel.Observe(r, &d, 0)
	copy(buffer, strings.Repeat("x", len(buffer)))
	if err := tel.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	line := parse(t, &out)[0]
	if line["host"] != "orders.example.com" || line["path"] != "orders.example.com" {
		t.Errorf("the line changed with the buffer: %v", line)
	}
}

// gate is a writer that waits until it is opened.
type gate struct {
	open chan struct{}
	bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.Buffer.Write(p)
}

func TestSlowLogLosesLinesNotTime(t *testing.T) {
	out := &gate{open: make(chan struct{})}
	tel := New(Options{DecisionLog: out, Denials: true})
	const sent = 3 * queuedLines
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			r, d := sample()
			for range sent / 2 {
				tel.Observe(r, &d, 0)
			}
		})
	}
	wg.Wait() // though nothing can be written
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tel.Close(ctx); !errors.Is(err, context.Canceled) || err.Error() != "the decision log was not written out: context canceled" {
		t.Errorf("closing while nothing can be written: %v", err)
	}
	close(out.open)
	if err := tel.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	dropped := series(t, tel, "postern_decision_log_dropped_total")[""]
	written := len(parse(t, &out.Buffer))
	if float64(written)+dropped != sent || written < queuedLines || dropped == 0 {
		t.Errorf("%d lines written and %v dropped of %d", written, dropped, sent)
	}
	r, d := sample()
	tel.Observe(r, &d, 0) // after Close: counted, not logged
	if got := len(parse(t, &out.Buffer)); got != 0 {
		t.Errorf("%d lines after Close", got)
	}
}

// failing is a writer that fails the first time.
type failing struct {
	failed bool
	bytes.Buffer
}

func (f *failing) Write(p []byte) (int, error) {
	if !f.failed {
		f.failed = true
		return 0, io.ErrShortWrite
	}
	return f.Buffer.Write(p)
}

func TestFailedWritesAreCounted(t *testing.T) {
	w := &lineWriter{out: &failing{}}
	if lost := w.write([]byte("a\n"), false); lost != 0 {
		t.Errorf("gathered, but %d lost", lost)
	}
	if lost := w.write([]byte("b\n"), true); lost != 2 {
		t.Errorf("the write failed, and %d lost, want 2", lost)
	}
	if lost := w.write([]byte("c\n"), true); lost != 0 {
		t.Errorf("%d lost after the failure", lost)
	}
	if got := w.out.(*failing).String(); got != "c\n" {
		t.Errorf("wrote %q", got)
	}
	if lost := w.write(bytes.Repeat([]byte("d"), gathered), false); lost != 0 || w.lines != 0 {
		t.Errorf("a full buffer was kept")
	}
}

// TestNoSecretIsShown puts a secret wherever a request and a decision can carry one.
func TestNoSecretIsShown(t *testing.T) {
	const canary = "canary-7f3a"
	var out bytes.Buffer
	tel := New(Options{DecisionLog: &out, Denials: true, SampleAllows: 1})
	tel.SetRules(rules("shop/orders all"))
	r := &authz.Request{
		ID: "r-1", Method: "POST", Host: "orders.example.com", Path: "/orders#access_token=" + canary,
		Query: "api_key=" + canary, HasQuery: true,
		Headers: []authz.Header{{Name: "authorization", Value: "Bearer " + canary}, {Name: "cookie", Value: "session=" + canary}},
		Body:    authz.Body{Bytes: []byte(canary), State: authz.BodyWhole},
		Source:  authz.Peer{Address: "10.0.0.9", Certificate: canary, Principal: canary},

		ContextExtensions: []authz.Field{{Name: canary, Value: canary}},
		RouteMetadata:     []authz.Field{{Name: canary, Value: canary}},
	}
	principal := &authz.Principal{
		Subject: "s", Claims: map[string]any{"c": canary}, Attributes: map[string]string{"a": canary},
	}
	mutation := authz.Mutation{Set: []authz.Header{{Name: "x", Value: canary}}, Remove: []string{canary}}
	for _, d := range []authz.Decision{
		authz.Allow(authz.ReasonAuthenticated, mutation),
		authz.Allow(authz.ReasonBadSignature, mutation),
		authz.Deny(authz.ReasonUnknownKey, authz.Fail(authz.ReasonUnknownKey, &secretError{authz.Secret(canary)})),
	} {
		d.Policy, d.Rule, d.Principal = "shop/orders", "all", principal
		d.Challenges, d.ResponseHeaders = []string{canary}, []authz.Header{{Name: "x", Value: canary}}
		tel.Observe(r, &d, time.Microsecond)
		d.Policy = canary // a route's extension may name a policy that is not there
		d.Rule = canary
		tel.decisions.count(&d)
	}
	if err := tel.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := tel.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if strings.Contains(f.String(), canary) {
			t.Errorf("the metric %s shows the secret", f.GetName())
		}
	}
	if strings.Contains(out.String(), canary) {
		t.Errorf("the decision log shows the secret:\n%s", out.String())
	}
	if got := len(parse(t, &out)); got != 3 {
		t.Errorf("%d lines, want 3", got)
	}
}

// secretError is an error made with a secret, the way the type redacts.
type secretError struct{ s authz.Secret }

func (e *secretError) Error() string { return "no such key: " + e.s.String() }

// parse reads and empties the log.
func parse(t *testing.T, out *bytes.Buffer) (lines []map[string]any) {
	t.Helper()
	for dec := json.NewDecoder(out); ; {
		var line map[string]any
		switch err := dec.Decode(&line); {
		case errors.Is(err, io.EOF):
			return lines
		case err != nil:
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
}

// FuzzAppendString checks that the string means what encoding/json would have written, in printable characters.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c", "\x00\x1f\x7f", "\u0085\u2028\u202e", "\U000e0001\U0001f600", "\xff\xc3", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := appendString(nil, s, math.MaxInt)
		var back, want string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%q became %s: %v", s, got, err)
		}
		reference, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(reference, &want); err != nil {
			t.Fatal(err)
		}
		if back != want {
			t.Errorf("%q became %s", s, got)
		}
		if i := bytes.IndexFunc(got, func(c rune) bool { return c < ' ' || c == 0x7f }); i >= 0 {
			t.Errorf("%q kept a control byte: %s", s, got)
		}
	})
}

func BenchmarkLog(b *testing.B) {
	tel := start(b, Options{DecisionLog: io.Discard, Denials: true})
	r, d := sample()
	b.ReportAllocs()
	for b.Loop() {
		tel.Observe(r, &d, time.Microsecond)
	}
}
