package e2e

import (
	"encoding/json"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestVerifiers: what `postern sign` signs, as the resources say, verifies with libraries that we did not write, and no
// longer when the path or the body is another.
func TestVerifiers(t *testing.T) {
	type kind struct{ scheme, change string }
	var asks []ask
	var kinds []kind
	for _, f := range families {
		if f.scheme == "github" {
			continue // a recipe verifies nothing
		}
		a := ask{
			Client: f.scheme, Method: "POST", URL: "http://clients.test/orders/1?b=2&a=1", Body: []byte(`{"paid": 10}`),
			Key: partner["hmac"], KeyID: "partner-hmac",
		}
		a.Headers = ownSign(t, f, a)
		other := a
		other.URL = strings.Replace(a.URL, "orders/1", "orders/2", 1)
		changed := a
		changed.Body = []byte(`{"paid": 99}`)
		asks = append(asks, a, other, changed)
		kinds = append(kinds, kind{f.scheme, "nothing"}, kind{f.scheme, "path"}, kind{f.scheme, "body"})
	}
	var faults []string
	foreign(t, "verify.py", asks, &faults)
	if len(faults) != len(asks) {
		t.Fatalf("%d verdicts for %d requests", len(faults), len(asks))
	}
	for i, k := range kinds {
		f := families[slices.IndexFunc(families, func(f family) bool { return f.scheme == k.scheme })]
		good := k.change == "nothing" || slices.Contains(f.unbound, k.change)
		if good != (faults[i] == "") {
			t.Errorf("%s, %s changed: %q\n%q", k.scheme, k.change, faults[i], asks[i].Headers)
		}
	}
}

// ownSign has the command sign a request for the family's scheme, and returns all its headers.
func ownSign(t *testing.T, f family, a ask) map[string]string {
	t.Helper()
	args := []string{
		"sign", "--resources", world.shop.Dir, "--scheme", "clients/" + f.scheme, "-o", "json",
		"-X", a.Method, "-H", "Content-Type: application/json", "-d", string(a.Body),
	}
	if f.app == "partner" {
		args = append(args, "--app", "clients/partner", "--key-id", a.KeyID)
	}
	if f.scheme == "cavage" {
		args = append(args, "--algorithm", "hmac-sha256") // httpsig needs to be told
	}
	out, err := exec.CommandContext(t.Context(), world.bin, append(args, a.URL)...).CombinedOutput()
	if err != nil {
		t.Fatalf("postern sign for %s: %v\n%s", f.scheme, err, out)
	}
	var signed struct {
		Headers map[string]string `json:"headers"`
	}
	if err := json.Unmarshal(out, &signed); err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{"Content-Type": "application/json"}
	maps.Copy(headers, signed.Headers)
	return headers
}
