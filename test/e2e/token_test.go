package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// encode is base64url without padding, as JWS wants it (RFC 7515 section 2).
func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// TestTokens sends tokens that an attacker or a careless issuer could make (RFC 8725). Each must be refused.
func TestTokens(t *testing.T) {
	issuer := world.shop.Issuer
	stranger, err := harness.NewIssuer(issuer.Name, issuer.Audience, issuer.KeyID)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	with := func(claims map[string]any) string {
		all := map[string]any{"scope": "orders:read"}
		maps.Copy(all, claims)
		return issuer.Token(all)
	}
	good := with(nil)
	parts := strings.Split(good, ".")
	header := func(text string) string { return issuer.Sign(text, decode(parts[1])) }
	payload := func(text string) string {
		return issuer.Sign(`{"alg":"ES256","kid":"2026"}`, strings.Replace(decode(parts[1]), "{", "{"+text+",", 1))
	}
	hs256 := func(alg, key string) string {
		input := encode(`{"alg":"`+alg+`","kid":"2026"}`) + "." + parts[1]
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(input))
		return input + "." + encode(string(mac.Sum(nil)))
	}
	cases := map[string]string{
		"none":                   issuer.Unsigned(map[string]any{"scope": "orders:read"}),
		"NONE":                   encode(`{"alg":"NONE"}`) + "." + parts[1] + ".",
		"no alg":                 header(`{"kid":"2026"}`),
		"no signature":           parts[0] + "." + parts[1] + ".",
		"two parts":              parts[0] + "." + parts[1],
		"HS256, key set as key":  hs256("HS256", issuer.JWKS()),
		"HS256, empty key":       hs256("HS256", ""),
		"alg of another kind":    header(`{"alg":"RS256","kid":"2026"}`),
		"alg in lower case":      header(`{"alg":"es256","kid":"2026"}`),
		"unknown kid":            header(`{"alg":"ES256","kid":"2025"}`),
		"kid not a string":       header(`{"alg":"ES256","kid":2026}`),
		"kid a path":             header(`{"alg":"ES256","kid":"../../dev/null"}`),
		"another's key":          stranger.Token(map[string]any{"scope": "orders:read"}),
		"another's key embedded": stranger.Sign(`{"alg":"ES256","kid":"2026","jwk":`+strings.Trim(strings.SplitN(stranger.JWKS(), "[", 2)[1], "]}")+`}}`, decode(parts[1])),
		"another's key by jku":   stranger.Sign(`{"alg":"ES256","kid":"2026","jku":"http://127.0.0.1:1/jwks.json"}`, decode(parts[1])),
		"crit":                   header(`{"alg":"ES256","kid":"2026","crit":["exp"],"exp":1}`),
		"unencoded payload":      header(`{"alg":"ES256","kid":"2026","b64":false,"crit":["b64"]}`),
		"compressed":             header(`{"alg":"ES256","kid":"2026","zip":"DEF"}`),
		"another type":           header(`{"alg":"ES256","kid":"2026","typ":"dpop+jwt"}`),
		"header twice alg":       header(`{"alg":"none","alg":"ES256","kid":"2026"}`),
		"encrypted":              encode(`{"alg":"dir","enc":"A128GCM"}`) + "..AAAA.AAAA.AAAA",
		"password encrypted":     encode(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2000000000,"p2s":"AAAA"}`) + ".AAAA.AAAA.AAAA.AAAA",
		"JSON serialisation":     `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"zero signature":         parts[0] + "." + parts[1] + "." + encode(strings.Repeat("\x00", 64)),
		"signature in DER":       parts[0] + "." + parts[1] + "." + encode("0\x06\x02\x01\x01\x02\x01\x01"),
		"changed payload":        parts[0] + "." + encode(strings.Replace(decode(parts[1]), "alice", "mally", 1)) + "." + parts[2],
		"padding":                good + "==",
		"lax base64":             good[:len(good)-1] + string(lastBitsChanged(good[len(good)-1])),
		"line feed inside":       parts[0] + "%0a." + parts[1] + "." + parts[2],
		"a space inside":         parts[0] + ". " + parts[1] + "." + parts[2],
		"8 KiB and more":         with(map[string]any{"pad": strings.Repeat("x", 9000)}),
		"deep":                   payload(`"deep":` + strings.Repeat("[", 40) + strings.Repeat("]", 40)),
		"claim twice":            payload(`"sub":"root"`),
		"claim in other case":    payload(`"SUB":"root"`),
		"not an object":          issuer.Sign(`{"alg":"ES256","kid":"2026"}`, `["alice"]`),
		"not JSON":               issuer.Sign(`{"alg":"ES256","kid":"2026"}`, `alice`),
		"expired":                with(map[string]any{"exp": now - 60}),
		"no exp":                 with(map[string]any{"exp": nil}),
		"exp a string":           with(map[string]any{"exp": unix(time.Unix(now+3600, 0))}),
		"exp negative":           with(map[string]any{"exp": -1}),
		"exp null":               payload(`"exp":null`),
		"exp infinite":           issuer.Sign(`{"alg":"ES256","kid":"2026"}`, `{"iss":"`+issuer.Name+`","aud":"shop","sub":"alice","scope":"orders:read","exp":1e400}`),
		"exp not a number":       issuer.Sign(`{"alg":"ES256","kid":"2026"}`, `{"iss":"`+issuer.Name+`","aud":"shop","sub":"alice","scope":"orders:read","exp":NaN}`),
		"of the future":          with(map[string]any{"nbf": now + 3600}),
		"issued in the future":   with(map[string]any{"iat": now + 3600}),
		"no audience":            with(map[string]any{"aud": nil}),
		"another audience":       with(map[string]any{"aud": "warehouse"}),
		"audience an object":     with(map[string]any{"aud": map[string]any{"shop": true}}),
		"audience a number":      with(map[string]any{"aud": 1}),
		"audience longer":        with(map[string]any{"aud": "shop2"}),
		"another issuer":         with(map[string]any{"iss": "https://evil.example.com"}),
		"issuer with a slash":    with(map[string]any{"iss": issuer.Name + "/"}),
		"issuer in other case":   with(map[string]any{"iss": strings.ToUpper(issuer.Name)}),
		"no issuer":              with(map[string]any{"iss": nil}),
		"bound to another key":   with(map[string]any{"cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}),
		"empty":                  "",
		"an API key":             world.creds["key"],
	}
	eachGate(t, func(t *testing.T, g gate) {
		for name, token := range cases {
			t.Run(name, func(t *testing.T) {
				a, _ := g.send(t, bearer("Authorization: Bearer "+token))
				if a.Code() != "unauthenticated" && a.Code() != "bad_request" || a.Status == 400 && name != "JSON serialisation" {
					t.Errorf("%d %s", a.Status, a.Body)
				}
			})
		}
	})
}

// TestTokenForms sends good tokens in the forms that issuers and clients use.
func TestTokenForms(t *testing.T) {
	issuer := world.shop.Issuer
	token := issuer.Token(map[string]any{"scope": "orders:read"})
	claims := decode(strings.Split(token, ".")[1])
	fields := map[string]string{
		"usual":              "Authorization: Bearer " + token,
		"scheme in any case": "authorization: bEARER " + token,
		"more spaces":        "Authorization: Bearer   " + token + "  ",
		"no kid, one key":    "Authorization: Bearer " + issuer.Sign(`{"alg":"ES256"}`, claims),
		"at+jwt":             "Authorization: Bearer " + issuer.Sign(`{"alg":"ES256","typ":"at+jwt","kid":"2026"}`, claims),
		"a certificate that is not looked at": "Authorization: Bearer " +
			issuer.Sign(`{"alg":"ES256","kid":"2026","x5t":"AAAA","x5c":["AAAA"]}`, claims),
		"audiences":      "Authorization: Bearer " + issuer.Token(map[string]any{"scope": "orders:read", "aud": []string{"x", "shop"}}),
		"fraction":       "Authorization: Bearer " + issuer.Token(map[string]any{"scope": "orders:read", "exp": float64(time.Now().Unix()) + 60.5}),
		"within leeway":  "Authorization: Bearer " + issuer.Token(map[string]any{"scope": "orders:read", "exp": time.Now().Unix() - 5}),
		"scope an array": "Authorization: Bearer " + issuer.Token(map[string]any{"scp": []string{"orders:read"}}),
	}
	eachGate(t, func(t *testing.T, g gate) {
		for name, field := range fields {
			t.Run(name, func(t *testing.T) {
				a, seen := g.send(t, bearer(field))
				if a.Status != 200 || seen.Headers.Get("X-Auth-Subject") != "alice" || seen.Headers.Get("Authorization") != "" {
					t.Errorf("%d %s %+v", a.Status, a.Body, seen)
				}
			})
		}
		t.Run("two tokens", func(t *testing.T) {
			r := bearer("Authorization: Bearer "+token, "Authorization: Bearer "+world.creds["writer"])
			if a, _ := g.send(t, r); a.Code() != "bad_request" {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	})
}

// TestTokenOfAnotherScheme: a token that one scheme has verified, and remembers, is nothing to another with the same
// issuer and keys; one that is for both is good for both.
func TestTokenOfAnotherScheme(t *testing.T) {
	shop := world.shop.Issuer.Token(map[string]any{"scope": "orders:read"})
	both := world.shop.Issuer.Token(map[string]any{"scope": "orders:read", "aud": []string{"shop", "warehouse"}})
	eachGate(t, func(t *testing.T, g gate) {
		for _, c := range []struct {
			token, host string
			want        int
		}{
			{shop, "localhost", 200},
			{shop, "localhost", 200}, // out of the memory
			{shop, "warehouse.test", 401},
			{both, "warehouse.test", 200},
			{both, "localhost", 200},
			{shop, "localhost", 200},
		} {
			r := bearer("Authorization: Bearer " + c.token)
			edit(&r, "Host", c.host)
			if a, _ := g.send(t, r); a.Status != c.want {
				t.Errorf("%s: %d %s, want %d", c.host, a.Status, a.Body, c.want)
			}
		}
	})
}

func bearer(fields ...string) harness.Request {
	return harness.Request{Method: "GET", Target: "/orders/1", Fields: append([]string{"Host: localhost"}, fields...)}
}

func decode(part string) string {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		panic(err) // a token of our own
	}
	return string(text)
}

// lastBitsChanged returns another character that lax decoders read as the same bytes: 64 bytes leave four bits over.
func lastBitsChanged(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)^1]
}
