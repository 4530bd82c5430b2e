package e2e

import (
	"encoding/json"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/postern-auth/postern/test/harness"
)

// titles has the one title of each class; two denials of a class differ in nothing but the request id.
var titles = map[int]string{
	400: "The request is malformed or ambiguous",
	401: "A valid credential is required",
	403: "The caller may not do this",
	413: "The request body is too large to verify",
	503: "The request could not be checked; try again",
}

// checkProblem asserts the form of a denial by Postern; Envoy's own answers are none of its business.
func checkProblem(t *testing.T, a harness.Answer) {
	t.Helper()
	if a.Code() == "" {
		return
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"type", "title", "status", "code", "requestId"} {
		if body[name] == nil || body[name] == "" {
			t.Errorf("the problem document lacks %s: %s", name, a.Body)
		}
	}
	if len(body) != 5 || body["status"] != float64(a.Status) || body["title"] != titles[a.Status] {
		t.Errorf("the problem document says more or something else: %d %s", a.Status, a.Body)
	}
	challenged := len(a.Headers["Www-Authenticate"])+len(a.Headers["Accept-Signature"]) > 0
	if a.Status == http.StatusUnauthorized && !challenged {
		t.Errorf("401 without a challenge: %v", a.Headers)
	}
	if a.Status == http.StatusServiceUnavailable && a.Headers.Get("Retry-After") == "" {
		t.Errorf("503 without Retry-After: %v", a.Headers)
	}
}

// reserved are the identity headers of the policies in use here.
var reserved = map[string]bool{
	"x-auth-subject": true, "x-auth-app": true, "x-auth-key-id": true, "x-auth-scopes": true, "x-auth-scheme": true,
	"x-auth-tenant": true,
}

// checkClean asserts that a request that was let through carries no credential, each identity header once at most,
// and none of their aliases.
func checkClean(t *testing.T, r harness.Received) {
	t.Helper()
	for name, values := range r.Headers {
		folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
		switch {
		case !reserved[folded]:
		case textproto.CanonicalMIMEHeaderKey(folded) != name:
			t.Errorf("the upstream saw %s, an alias of %s", name, folded)
		case len(values) != 1:
			t.Errorf("the upstream saw %d values of %s: %q", len(values), name, values)
		}
	}
	if strings.HasPrefix(r.Target, "/forward") || strings.HasPrefix(r.Target, "/shadow") {
		return // these rules leave the credential in
	}
	everything, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range world.creds {
		if strings.Contains(string(everything), secret) {
			t.Errorf("the upstream saw the credential %q", name)
		}
	}
}
