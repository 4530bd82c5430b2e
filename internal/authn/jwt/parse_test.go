package jwt

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse: it never panics; a token that it reads has one spelling, and encoding/json reads the same claims.
func FuzzParse(f *testing.F) {
	good := keys().ed.token(keys().ed.header(), claims(nil))
	f.Add(good)
	f.Add(good + ".")
	f.Add(good + "=")
	f.Add(strings.Replace(good, ".", "\n.", 1))
	f.Add(b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(`{"iss":"x"}`)) + ".")
	f.Add(b64([]byte(`{"alg":"ES256","crit":["b64"],"b64":false}`)) + ".e30.AA")
	f.Add(b64([]byte(`{"alg":"ES256","typ":"application/at+JWT"}`)) + ".e30.AA")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parse(text)
		if err != nil {
			return
		}
		parts := strings.Split(text, ".")
		if len(parts) != 3 {
			t.Fatalf("%d segments", len(parts))
		}
		payload, err := strictBase64.DecodeString(parts[1])
		if err != nil || b64(payload) != parts[1] || b64(got.signature) != parts[2] {
			t.Fatalf("%q is not the only spelling", text)
		}
		if string(got.signed) != parts[0]+"."+parts[1] {
			t.Fatalf("signed: %q", got.signed)
		}
		var want map[string]any
		in := json.NewDecoder(strings.NewReader(string(payload)))
		in.UseNumber()
		if err := in.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(exact(t, want), any(got.claims)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestParse(t *testing.T) {
	k := keys().ed
	for name, c := range map[string]struct {
		header, mediaType string
	}{
		"no typ":       {`{"alg":"EdDSA"}`, "jwt"},
		"typ":          {`{"alg":"EdDSA","typ":"JWT"}`, "jwt"},
		"prefixed typ": {`{"alg":"EdDSA","typ":"Application/AT+jwt"}`, "at+jwt"},
		"empty typ":    {`{"alg":"EdDSA","typ":""}`, ""},
		"keys inside":  {`{"alg":"EdDSA","jwk":{},"jku":"https://a.example","x5u":1,"x5c":[],"x5t":"","other":{}}`, "jwt"},
		"other cty":    {`{"alg":"EdDSA","cty":"json"}`, "jwt"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(k.compact(c.header, `{"a":1}`))
			if err != nil {
				t.Fatal(err)
			}
			if got.mediaType != c.mediaType || got.algorithm != "EdDSA" || got.hasKeyID || got.claims["a"] != int64(1) {
				t.Errorf("got %+v", got)
			}
		})
	}
}
