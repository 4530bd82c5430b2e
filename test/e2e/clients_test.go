package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// signer is a library that we did not write, signing one kind of request.
type signer struct {
	name      string // of the library and its manner, as the script has it
	algorithm string // as the library names it
	key       string // the last part of the key id
	method    string // GET has no body
	body      string // "": JSON
	field     string // of a header that it signs; "": X-Extra
	created   string // what says when it signed, if not as the others of its family do
}

// family is the signers of one format.
type family struct {
	scheme  string // also the first part of the path
	script  string
	app     string
	created string   // says when a request was signed; the last digit of the group can be changed. "": nothing says it
	unbound []string // the changes that the format cannot notice
	signers []signer
}

// The formats that sign a canonical query do not sign its order, and webhooks sign little but the body.
var families = []family{
	{
		scheme: "rfc9421", script: "rfc9421.py", app: "partner", created: `Signature-Input: .*;created=(\d+)`,
		signers: []signer{
			{name: "http-message-signatures", algorithm: "HMAC_SHA256", key: "hmac", method: "GET"},
			{name: "http-message-signatures", algorithm: "HMAC_SHA256", key: "hmac", method: "POST"},
			{name: "http-message-signatures", algorithm: "ED25519", key: "ed25519", method: "POST"},
			{name: "http-message-signatures", algorithm: "ECDSA_P256_SHA256", key: "p256", method: "POST"},
			{name: "http-message-signatures", algorithm: "RSA_PSS_SHA512", key: "pss", method: "POST"},
			{name: "http-message-signatures", algorithm: "RSA_V1_5_SHA256", key: "v15", method: "GET"},
		},
	},
	{
		scheme: "sigv4", script: "sigv4.py", app: "partner", created: `(?i)X-Amz-Date(?:: |=)\d{8}T(\d+)Z`,
		unbound: []string{"query order"},
		signers: []signer{
			{name: "botocore", key: "hmac", method: "GET"},
			{name: "botocore", key: "hmac", method: "POST"},
			{name: "botocore presigned", key: "hmac", method: "GET"},
			{name: "botocore s3", key: "hmac", method: "PUT"},
			{name: "requests-aws4auth", key: "hmac", method: "GET"},
			{name: "requests-aws4auth", key: "hmac", method: "POST"},
		},
	},
	{
		scheme: "cavage", script: "cavage.py", app: "partner", created: `(?i)Date: .*:(\d\d) GMT`,
		signers: []signer{
			{name: "httpsig", algorithm: "hmac-sha256", key: "hmac", method: "GET"},
			{name: "httpsig", algorithm: "hmac-sha512", key: "hmac", method: "POST"},
			{name: "httpsig", algorithm: "rsa-sha256", key: "rsa", method: "POST"},
			{name: "requests-http-signature", algorithm: "hmac-sha256", key: "hmac", method: "POST"},
			{name: "requests-http-signature", algorithm: "ecdsa-sha256", key: "p256", method: "GET"},
			{name: "requests-http-signature header", algorithm: "rsa-sha512", key: "rsa", method: "POST"},
			{name: "http-signature-client", key: "ed25519", method: "POST", created: `, created=(\d+),`},
		},
	},
	{
		scheme: "x-ca", script: "xca.py", app: "partner", created: `X-Ca-Timestamp: (\d+)`,
		unbound: []string{"host", "query order"},
		signers: []signer{
			{name: "aliyun-api-gateway-python", algorithm: "HmacSHA256", key: "hmac", method: "GET"},
			{name: "aliyun-api-gateway-python", algorithm: "HmacSHA256", key: "hmac", method: "POST"},
			{name: "aliyun-api-gateway-python form", algorithm: "HmacSHA256", key: "hmac", method: "POST", body: form},
			// It repeats the parameters of a query in a form, which the profile refuses.
			{name: "kraken", key: "hmac", method: "GET", field: "X-Ca-Nonce"},
		},
	},
	{
		scheme: "stripe", script: "webhooks.py", app: "sender", created: `Stripe-Signature: t=(\d+)`, unbound: address,
		signers: []signer{{name: "stripe", key: "hmac", method: "POST", field: "Stripe-Signature"}},
	},
	{
		scheme: "slack", script: "webhooks.py", app: "sender", created: `Timestamp: (\d+)`, unbound: address,
		signers: []signer{{name: "slack_sdk", key: "hmac", method: "POST", field: "X-Slack-Signature"}},
	},
	{
		scheme: "standard-webhooks", script: "webhooks.py", app: "sender", created: `webhook-timestamp: (\d+)`, unbound: address,
		signers: []signer{{name: "standardwebhooks", key: "hmac", method: "POST", field: "webhook-id"}},
	},
	{
		scheme: "github", script: "webhooks.py", app: "sender", unbound: address,
		signers: []signer{{name: "github", key: "hmac", method: "POST", field: "X-Hub-Signature-256"}},
	},
}

// address is where a webhook goes, which its sender does not sign.
var address = []string{"method", "host", "path", "query value", "query order"}

// The bodies that are signed. {n} makes each its own: where a format has no nonce, the same request counts once.
const (
	document = `{"n": {n}, "paid": 10}`
	form     = "m={n}&paid=10&note=%C3%A9+x"
)

// changes are made to a signed request on its way.
var changes = []struct {
	name string
	make func(r *harness.Request, f family, s signer)
}{
	{"method", func(r *harness.Request, _ family, _ signer) {
		r.Method = map[string]string{"GET": "DELETE", "POST": "PUT", "PUT": "POST"}[r.Method]
	}},
	{"host", func(r *harness.Request, _ family, _ signer) { edit(r, "Host", "other.clients.test") }},
	{"path", func(r *harness.Request, _ family, _ signer) {
		r.Target = strings.Replace(r.Target, "/orders/1", "/orders/2", 1)
	}},
	{"query value", func(r *harness.Request, _ family, _ signer) { r.Target = strings.Replace(r.Target, "a=1", "a=2", 1) }},
	{"query order", func(r *harness.Request, _ family, _ signer) {
		r.Target = strings.Replace(r.Target, "b=2&a=1", "a=1&b=2", 1)
	}},
	{"field", func(r *harness.Request, _ family, s signer) {
		flip(r, `(?i)^`+cmp.Or(s.field, "X-Extra")+`: .*([0-9a-z])`)
	}},
	{"body", func(r *harness.Request, _ family, _ signer) {
		if r.Body == "" {
			r.Body = "smuggled"
		}
		r.Body = strings.Replace(r.Body, "10", "99", 1)
	}},
	{"time", func(r *harness.Request, f family, s signer) { flip(r, cmp.Or(s.created, f.created)) }},
}

// flip changes the last character of the pattern's group, in the target or a field, to the next digit or letter.
func flip(r *harness.Request, pattern string) {
	re := regexp.MustCompile(pattern)
	change := func(text string) string {
		at := re.FindStringSubmatchIndex(text)
		if at == nil {
			return text
		}
		i := at[3] - 1
		next := strings.NewReplacer("9", "0", "f", "a", "z", "a").Replace(text[i : i+1])
		if next == text[i:i+1] {
			next = string(text[i] + 1)
		}
		return text[:i] + next + text[i+1:]
	}
	r.Target = change(r.Target)
	r.Fields = slices.Clone(r.Fields)
	for i := range r.Fields {
		r.Fields[i] = change(r.Fields[i])
	}
}

// TestClients: requests signed by libraries as they come pass, once; changed on the way they do not, unless the format
// cannot notice, which is what the families say. A refused copy does not use up the original, which passes last.
func TestClients(t *testing.T) {
	refused := map[string]string{} // which case, by request id
	for _, f := range families {
		t.Run(f.scheme, func(t *testing.T) {
			requests := slices.Collect(slices.Chunk(f.sign(t), 1+len(f.unbound)))
			for i, s := range f.signers {
				for j, g := range world.gates {
					t.Run(strings.Join([]string{s.name, s.algorithm, s.method, g.name}, " "), func(t *testing.T) {
						f.test(t, g, s, requests[i*len(world.gates)+j], refused)
					})
				}
			}
		})
	}
	checkReasons(t, refused)
}

// test sends a signer's requests: the first is the original, and the others are for changes that will not be noticed.
func (f family) test(t *testing.T, g gate, s signer, requests []harness.Request, refused map[string]string) {
	original, next := requests[0], 1
	for _, change := range changes {
		if change.name == "time" && f.created == "" {
			continue
		}
		r, bound := original, !slices.Contains(f.unbound, change.name)
		if !bound {
			r, next = requests[next], next+1
		}
		t.Run(change.name, func(t *testing.T) {
			before := string(r.Bytes())
			change.make(&r, f, s)
			switch {
			case string(r.Bytes()) == before:
				t.Fatal("the case changes nothing")
			case bound:
				refused[refuses(t, g, r)] = t.Name()
			default:
				f.passes(t, g, r, s)
			}
		})
	}
	f.passes(t, g, original, s)
	refuses(t, g, original)
}

// sign has each signer sign, for every gate, the original and a request for each change that will not be noticed. Each
// has a number of its own.
func (f family) sign(t *testing.T) []harness.Request {
	t.Helper()
	var asks []ask
	for _, s := range f.signers {
		for range (1 + len(f.unbound)) * len(world.gates) {
			n := strconv.Itoa(len(asks))
			a := ask{
				Client: s.name, Method: s.method, Algorithm: s.algorithm, Key: partner[s.key], KeyID: "partner-" + s.key,
				URL: "http://clients.test/" + f.scheme + "/orders/1?b=2&a=1&n=" + n,
			}
			if s.method != "GET" {
				a.Body = []byte(strings.Replace(cmp.Or(s.body, document), "{n}", n, 1))
				a.URL = strings.Replace(a.URL, ".test/", ".test/webhooks/", 1)
			}
			asks = append(asks, a)
		}
	}
	return foreignSign(t, f.script, asks)
}

// passes sends a request that must reach the upstream as its signer's.
func (f family) passes(t *testing.T, g gate, r harness.Request, s signer) {
	t.Helper()
	a, seen := g.send(t, r)
	if a.Status != 200 {
		t.Fatalf("%d %s\n%s", a.Status, a.Body, r.Bytes())
	}
	subject, key := seen.Headers.Get("X-Auth-Subject"), seen.Headers.Get("X-Auth-Key-Id")
	if subject != "app:clients/"+f.app || key != "clients/"+f.app+"/"+s.key || seen.Target != r.Target || seen.Body != r.Body {
		t.Errorf("the upstream saw %q with key %q: %s %q", subject, key, seen.Target, seen.Body)
	}
}

// refuses sends a request that must not reach the upstream, and returns its id.
func refuses(t *testing.T, g gate, r harness.Request) string {
	t.Helper()
	a, _ := g.send(t, r)
	if a.Status != 401 {
		t.Errorf("%d %s\n%s", a.Status, a.Body, r.Bytes())
	}
	var problem struct{ RequestID string }
	_ = json.Unmarshal([]byte(a.Body), &problem) // send has checked its form
	return problem.RequestID
}

// checkReasons asserts that the requests were refused for what was changed, by the decision log: not because they were
// malformed, too old or unknown.
func checkReasons(t *testing.T, refused map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := harness.Await(ctx, "every refusal is logged", func() bool {
		logs := world.postern.Stdout() + world.postern.Stderr()
		for id := range refused {
			if !strings.Contains(logs, `"requestId":"`+id+`"`) {
				return false
			}
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	right := []string{"bad_signature", "body_mismatch", "not_covered", "body_unavailable"}
	for line := range strings.Lines(world.postern.Stdout() + world.postern.Stderr()) {
		var d struct{ RequestID, Reason, Error string }
		if json.Unmarshal([]byte(line), &d) != nil || refused[d.RequestID] == "" {
			continue
		}
		if !slices.Contains(right, d.Reason) {
			t.Errorf("%s was refused for another reason: %s, %s", refused[d.RequestID], d.Reason, d.Error)
		}
	}
}
