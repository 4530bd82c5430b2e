package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-auth/postern/test/harness"
)

// TestGiants sends requests as large as Envoy lets through and larger, many times. Each is answered, and Postern's
// memory does not grow with them.
func TestGiants(t *testing.T) {
	key := "X-API-Key: " + world.creds["key"]
	base := harness.Request{Method: "GET", Target: "/x", Fields: []string{"Host: keys.test"}}
	target := func(s string) harness.Request { r := base; r.Target = s; return r }
	var crumbs, fields []string
	for i := range 2000 {
		crumbs = append(crumbs, fmt.Sprintf("c%d=%d", i, i))
		fields = append(fields, fmt.Sprintf("x-%d: %d", i, i))
	}
	var params strings.Builder
	for i := range 10000 {
		fmt.Fprintf(&params, "&%x=", i)
	}
	signed := harness.Request{Method: "GET", Target: "/x"}.With("Host: signatures.test", "Signature: a=:AAAA:",
		"Signature-Input: "+strings.Repeat(`a=("@path");keyid="k",`, 2000)+"z=()")
	cases := map[string]struct {
		request            harness.Request
		recommended, naive int
	}{
		"path":               {target("/" + strings.Repeat("a", 59000)).With(key), 200, 200},
		"segments":           {target(strings.Repeat("/a", 25000)).With(key), 200, 200},
		"encoded path":       {target("/" + strings.Repeat("%61", 18000)).With(key), 200, 200},
		"encoded percents":   {target("/" + strings.Repeat("%25", 18000)).With(key), 200, 200},
		"query parameters":   {target("/x?" + params.String()[1:]).With(key), 200, 200},
		"the same parameter": {target("/x?" + strings.Repeat("api_key=a&", 5000) + "b").With(key), 400, 400},
		"cookies":            {base.With("Cookie: " + strings.Join(crumbs, "; ")).With(key), 200, 200},
		"fields":             {base.With(fields...).With(key), 431, 400},
		"one field":          {base.With("X-Big: " + strings.Repeat("a", 50000)).With(key), 200, 200},
		"all together":       {base.With("X-Big: " + strings.Repeat("a", 200000)).With(key), 431, 431},
		"a key":              {base.With("X-API-Key: pk_" + strings.Repeat("a", 50000)), 401, 401},
		"commas":             {base.With("X-API-Key: " + strings.Repeat(",", 50000)), 400, 400},
		"a signature":        {signed, 401, 401},
	}
	before := memory(t)
	eachGate(t, func(t *testing.T, g gate) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				want := map[string]int{"recommended": c.recommended, "naive": c.naive}[g.name]
				for range 10 {
					if a, _ := g.send(t, c.request); a.Status != want {
						t.Fatalf("answered %d, want %d: %.200s", a.Status, want, a.Body)
					}
				}
			})
		}
	})
	if grown := memory(t) - before; grown > 64<<20 {
		t.Errorf("postern's memory grew by %d MiB", grown>>20)
	}
}

// memory returns Postern's resident memory in bytes.
func memory(t *testing.T) int {
	t.Helper()
	metrics, err := harness.Fetch(t.Context(), world.postern.Ops+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(metrics) {
		if value, ok := strings.CutPrefix(line, "process_resident_memory_bytes "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
	}
	t.Fatal("no process_resident_memory_bytes among the metrics")
	return 0
}
