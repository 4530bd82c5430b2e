package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/postern-auth/postern/internal/authn/signature"
	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

func TestAllows(t *testing.T) {
	ok := &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
		Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "a", Value: "b"}}},
	}}
	denied := &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{}}
	for _, tt := range []struct {
		name     string
		response *authv3.CheckResponse
		want     bool
	}{
		{"allowed", &authv3.CheckResponse{Status: &rpcstatus.Status{}, HttpResponse: ok}, true},
		{"with a message", &authv3.CheckResponse{Status: &rpcstatus.Status{Message: "fine"}, HttpResponse: ok}, true},
		{"without status", &authv3.CheckResponse{HttpResponse: ok}, true},
		{"denied", &authv3.CheckResponse{Status: &rpcstatus.Status{Code: 7}, HttpResponse: denied}, false},
		{"a code beside ok", &authv3.CheckResponse{Status: &rpcstatus.Status{Code: 7}, HttpResponse: ok}, false},
		{"denied with status 0", &authv3.CheckResponse{HttpResponse: denied}, false},
		{"empty", &authv3.CheckResponse{}, false},
	} {
		data, err := proto.Marshal(tt.response)
		if err != nil {
			t.Fatal(err)
		}
		if got := allows(data); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if allows([]byte{0xff}) {
		t.Error("no protobuf at all is taken for an allow")
	}
}

// headers returns a message's headers as a server decodes them.
func headers(t *testing.T, message []byte) (http *authv3.AttributeContext_HttpRequest, values map[string]string) {
	t.Helper()
	var r authv3.CheckRequest
	if err := proto.Unmarshal(message, &r); err != nil {
		t.Fatal(err)
	}
	values = map[string]string{}
	http = r.GetAttributes().GetRequest().GetHttp()
	for _, h := range http.GetHeaderMap().GetHeaders() {
		values[h.GetKey()] = string(h.GetRawValue())
	}
	return http, values
}

func TestMessage(t *testing.T) {
	host := placeholder("H", 5)
	m, err := newMessage(host, "/", [][2]string{{"x-key", "KKK"}}, host, "KKK")
	if err != nil {
		t.Fatal(err)
	}
	m.fill(host, "a.com")
	m.fill("KKK", "key")
	http, values := headers(t, m.bytes)
	if http.GetHost() != "a.com" || values[":authority"] != "a.com" || values["x-key"] != "key" {
		t.Errorf("filled: %v", http)
	}
	if _, err := newMessage("a.com", "/", nil, "KKK"); err == nil {
		t.Error("no error for a placeholder that stands nowhere")
	}
}

func TestTokensVerify(t *testing.T) {
	s, err := newSecrets()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []*issuer{s.es256, s.rs256} {
		list, err := tokens(i, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(list[0]) != len(list[1]) || list[0] == list[1] {
			t.Errorf("%s: tokens are not of one length, or not different", i.algorithm)
		}
		at := strings.LastIndexByte(list[1], '.')
		sig, err := base64.RawURLEncoding.DecodeString(list[1][at+1:])
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte(list[1][:at]))
		if i.rsa != nil {
			err = rsa.VerifyPKCS1v15(&i.rsa.PublicKey, crypto.SHA256, digest[:], sig)
		} else if !ecdsa.Verify(&i.ec.PublicKey, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
			err = errors.New("the signature does not hold")
		}
		if err != nil {
			t.Errorf("%s: %v", i.algorithm, err)
		}
		if set, err := i.jwks(); err != nil || !json.Valid([]byte(set)) {
			t.Errorf("%s: key set %s, %v", i.algorithm, set, err)
		}
	}
}

// TestSignaturesAgree compares with what the product's own signer makes of the same request.
func TestSignaturesAgree(t *testing.T) {
	secret, now := []byte("0123456789abcdef0123456789abcdef"), time.Unix(1_795_000_000, 0)
	input, sig := newSigner("AK1", secret, "a.example.com", paymentsPath, paymentQuery).next(now)
	want, err := signature.Sign(signature.SignRequest{
		Method: "GET", URL: "https://a.example.com" + paymentsPath + "?" + paymentQuery,
		KeyID: "AK1", Key: authz.Secret(secret), Created: now, Nonce: "0000000000000001",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := []authz.Header{{Name: "Signature-Input", Value: input}, {Name: "Signature", Value: sig}}
	if diff := cmp.Diff(want.Headers, got); diff != "" {
		t.Errorf("-product +load:\n%s", diff)
	}
}

func TestWorldIsValid(t *testing.T) {
	s, err := newSecrets()
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorld(t.TempDir(), s, size{policies: 101, keys: 2010, keysPerApp: 2})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range v1alpha1.Decode(path, text) {
			if doc.Err != nil {
				t.Fatal(doc.Err)
			}
			kinds[doc.Kind]++
		}
	}
	if diff := cmp.Diff(map[string]int{"AuthScheme": 3, "AuthPolicy": 101, "App": 1 + 1005}, kinds); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(w.hosts) != 101 || len(w.keys) != 2010 || len(files) != 1+2+2 {
		t.Errorf("%d hosts, %d keys, %d files", len(w.hosts), len(w.keys), len(files))
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 2}, 2}} {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median(%v) = %v", tt.in, got)
		}
	}
}

var table = []result{
	{Name: "apikey", Work: "API key", Base: 36, Subject: 20, Unit: "ratio", Measured: 0.56, Limit: 0.7, Rounds: []float64{0.5, 0.6}, Pass: true},
	{Name: "start", Work: "start", Unit: "s", Measured: 2, Limit: 1.5, Rounds: []float64{2}, Note: "slow"},
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := printTable(&out, table); err != nil {
		t.Fatal(err)
	}
	const want = `work     compared with  Postern  measured  of all rounds  limit
API key  36.0 µs        20.0 µs  0.56      0.50–0.60      0.70    holds
start                            2.00 s    2.00–2.00      1.50 s  EXCEEDED  slow
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMarkdown(t *testing.T) {
	const want = `| work | CPU per check | compared with | ratio, or time | at most |
|---|---|---|---|---|
| API key | 20.0 µs | 36.0 µs | **0.56** | 0.70 |
| start (slow) |  |  | **2.00 s** | 1.50 s |
`
	path := filepath.Join(t.TempDir(), "README.md")
	read := func() string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if err := writeMarkdown(path, table); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tableBegin+want+tableEnd+"\n", read()); diff != "" {
		t.Errorf("new file: -want +got:\n%s", diff)
	}
	for range 2 {
		if err := os.WriteFile(path, []byte("before\n"+tableBegin+"old\n"+tableEnd+"\nafter\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := writeMarkdown(path, table); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("before\n"+tableBegin+want+tableEnd+"\nafter\n", read()); diff != "" {
			t.Errorf("between markers: -want +got:\n%s", diff)
		}
	}
	if err := os.WriteFile(path, []byte("no table\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeMarkdown(path, table); !errors.Is(err, errNoMarkers) || read() != "no table\n" {
		t.Errorf("without markers: %v, %q", err, read())
	}
}

func TestUsage(t *testing.T) {
	for args, want := range map[string]string{
		"-only sigv4": `-only: "sigv4" is no scenario; use apikey, jwt-es256, jwt-rs256, hmac, apisix, aws-sigv4, aws-sigv4-body, cavage, github-body, kong, rfc9421-body, slack-body, standard-webhooks-body, stripe-body, template, x-ca, x-ca-body, jwt-new, policies, keys, start-10k, start-100k, sqlite, postgres, self`,
		"-o yaml":     "-o yaml: use text or json",
		"-rounds 0":   "use at least 1 round of 10ms",
	} {
		if err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
}

func TestResident(t *testing.T) {
	if n, err := resident(os.Getpid()); err != nil || n < 1<<20 || n > 1<<34 {
		t.Errorf("this process occupies %d bytes, %v", n, err)
	}
	if _, err := resident(1 << 30); !os.IsNotExist(err) {
		t.Errorf("nobody: %v", err)
	}
}

func TestCPUTimeOfNobody(t *testing.T) {
	if _, err := cpuTime(1 << 30); err == nil || !strings.Contains(err.Error(), "a running process and a Linux kernel") {
		t.Errorf("got %v", err)
	}
}
