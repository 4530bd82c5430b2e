package jwt

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
)

// TestTokens sends each token that RFC 8725 warns of, signed well unless the signature is the point.
func TestTokens(t *testing.T) {
	k := keys()
	jwks := set(k.rsa.jwk(), k.es256.jwk(), k.other256.jwk(), k.es384.jwk(), k.ed.jwk())
	s := compile(t, spec(jwks), Options{})
	es := k.es256
	with := func(name string, v any) object {
		h := es.header()
		h[name] = v
		return h
	}
	good := es.token(es.header(), claims(nil))
	p, err := authenticate(t, s, request(good))
	wantAccepted(t, p, err)

	hs := &signer{id: "rsa", alg: "HS256", secret: []byte(set(k.rsa.jwk()))}
	unsigned := b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(toJSON(claims(nil)))) + "."
	payload := func(text string) string {
		return es.compact(toJSON(es.header()), strings.Replace(toJSON(claims(nil)), "{", text, 1))
	}

	const malformed, claim = authz.ReasonMalformedCredential, authz.ReasonClaimRefused
	for name, c := range map[string]struct {
		token  string
		reason authz.Reason
		text   string
	}{
		"not a token":        {"opaque", malformed, "three segments"},
		"two segments":       {"e30.e30", malformed, "three segments"},
		"four segments":      {good + ".e30", malformed, "three segments"},
		"JWE":                {"e30.e30.e30.e30.e30", malformed, "three segments"},
		"JSON serialisation": {`{"payload":"e30"}`, malformed, "three segments"},
		"too long":           {es.token(es.header(), claims(object{"pad": strings.Repeat("x", 8<<10)})), malformed, "longer than the limit"},
		"padding":            {good + "==", malformed, "base64url"},
		"standard base64":    {segments(good, 2, func(string) string { return "++++" }), malformed, "base64url"},
		"line break":         {good[:40] + "\n" + good[40:], malformed, "base64url"},
		"space":              {good[:40] + " " + good[40:], malformed, "base64url"},
		"trailing bits":      {segments(good, 1, trailingBits), malformed, "base64url"},
		"header trails":      {segments(good, 0, trailingBits), malformed, "base64url"},
		"signature trails":   {segments(good, 2, trailingBits), malformed, "base64url"},
		"empty":              {"..", malformed, "header"},

		"header no object":    {es.compact(`[]`, toJSON(claims(nil))), malformed, "header"},
		"header twice":        {es.compact(`{"alg":"ES256","alg":"ES256","kid":"es256"}`, toJSON(claims(nil))), malformed, "header"},
		"header case variant": {es.compact(`{"alg":"ES256","ALG":"none","kid":"es256"}`, toJSON(claims(nil))), malformed, "header"},
		"header deep":         {es.compact(`{"alg":"ES256","x":`+nested(16)+`}`, toJSON(claims(nil))), malformed, "header"},
		"no alg":              {es.token(with("alg", nil), claims(nil)), malformed, "alg"},
		"alg no string":       {es.token(with("alg", []string{"ES256"}), claims(nil)), malformed, "alg"},
		"kid no string":       {es.token(with("kid", 1), claims(nil)), malformed, "kid"},
		"typ no string":       {es.token(with("typ", true), claims(nil)), malformed, "typ"},
		"crit":                {es.token(with("crit", []string{"exp"}), claims(nil)), malformed, "crit"},
		"crit null":           {es.token(with("crit", nil), claims(nil)), malformed, "crit"},
		"b64":                 {es.token(with("b64", false), claims(nil)), malformed, "b64"},
		"b64 true":            {es.token(with("b64", true), claims(nil)), malformed, "b64"},
		"zip":                 {es.token(with("zip", "DEF"), claims(nil)), malformed, "zip"},
		"enc":                 {es.token(with("enc", "A256GCM"), claims(nil)), malformed, "enc"},
		"nested":              {es.token(with("cty", "JWT"), claims(nil)), malformed, "cty"},
		"nested at+jwt":       {es.token(with("cty", "application/at+jwt"), claims(nil)), malformed, "cty"},
		"other typ":           {es.token(with("typ", "dpop+jwt"), claims(nil)), claim, "typ"},
		"ID token typ":        {es.token(with("typ", "logout+jwt"), claims(nil)), claim, "typ"},
		"empty typ":           {es.token(with("typ", ""), claims(nil)), claim, "typ"},

		"none":              {unsigned, authz.ReasonAlgorithmRefused, "alg"},
		"None":              {strings.Replace(unsigned, b64([]byte(`{"alg":"none"}`)), b64([]byte(`{"alg":"NoNe"}`)), 1), authz.ReasonAlgorithmRefused, "alg"},
		"case of alg":       {es.token(with("alg", "es256"), claims(nil)), authz.ReasonAlgorithmRefused, "alg"},
		"HS256, public key": {hs.token(hs.header(), claims(nil)), authz.ReasonAlgorithmRefused, "issuer's"},
		"PBES2":             {es.token(with("alg", "PBES2-HS256+A128KW"), claims(nil)), authz.ReasonAlgorithmRefused, "issuer's"},
		"alg not listed":    {k.es384.token(k.es384.header(), claims(nil)), authz.ReasonAlgorithmRefused, "issuer's"},
		"RS256, EC key":     {es.token(with("alg", "RS256"), claims(nil)), authz.ReasonAlgorithmRefused, "does not fit the key"},
		"ES256, P-384 key":  {es.token(with("kid", "es384"), claims(nil)), authz.ReasonAlgorithmRefused, "does not fit the key"},
		"EdDSA, RSA key":    {es.token(object{"alg": "EdDSA", "kid": "rsa"}, claims(nil)), authz.ReasonAlgorithmRefused, "does not fit the key"},

		"no signature":    {segments(good, 2, func(string) string { return "" }), authz.ReasonBadSignature, "signature"},
		"another's":       {segments(good, 2, func(string) string { return strings.Split(k.other256.token(es.header(), claims(nil)), ".")[2] }), authz.ReasonBadSignature, "signature"},
		"another kid":     {es.token(with("kid", "other256"), claims(nil)), authz.ReasonBadSignature, "signature"},
		"unknown kid":     {es.token(with("kid", "../../etc/passwd"), claims(nil)), authz.ReasonUnknownKey, "no key of the token's kid"},
		"case of kid":     {es.token(with("kid", "ES256"), claims(nil)), authz.ReasonUnknownKey, "no key"},
		"empty kid":       {es.token(with("kid", ""), claims(nil)), authz.ReasonUnknownKey, "no key"},
		"no kid":          {es.token(object{"alg": "ES256"}, claims(nil)), authz.ReasonUnknownKey, "one key alone"},
		"own jwk":         {k.other256.token(object{"alg": "ES256", "kid": "es256", "jwk": k.other256.jwk()}, claims(nil)), authz.ReasonBadSignature, "signature"},
		"claims modified": {segments(good, 1, func(string) string { return b64([]byte(toJSON(claims(object{"sub": "root"})))) }), authz.ReasonBadSignature, "signature"},

		"claims no object":     {es.compact(toJSON(es.header()), `"x"`), malformed, "claims"},
		"claims twice":         {payload(`{"sub":"root",`), malformed, "claims"},
		"claims twice, inside": {payload(`{"x":{"a":1,"a":2},`), malformed, "claims"},
		"claim case variant":   {payload(`{"Sub":"root",`), malformed, "claims"},
		"claim folded":         {payload(`{"i` + "ſ" + `s":"x",`), malformed, "claims"},
		"claims deep":          {payload(`{"x":` + nested(16) + `,`), malformed, "claims"},
		"claims trailing":      {es.compact(toJSON(es.header()), toJSON(claims(nil))+"{}"), malformed, "claims"},
		"exp NaN":              {payload(`{"nbf":NaN,`), malformed, "claims"},
		"exp overflow":         {payload(`{"nbf":1e999,`), malformed, "claims"},

		"no iss":           {es.token(es.header(), claims(object{"iss": nil})), authz.ReasonIssuerRefused, "iss"},
		"other iss":        {es.token(es.header(), claims(object{"iss": "https://evil.example"})), authz.ReasonIssuerRefused, "iss"},
		"iss with slash":   {es.token(es.header(), claims(object{"iss": issuerName + "/"})), authz.ReasonIssuerRefused, "iss"},
		"iss in case":      {es.token(es.header(), claims(object{"iss": "https://Login.example.com"})), authz.ReasonIssuerRefused, "iss"},
		"iss list":         {es.token(es.header(), claims(object{"iss": []string{issuerName}})), authz.ReasonIssuerRefused, "iss"},
		"no aud":           {es.token(es.header(), claims(object{"aud": nil})), authz.ReasonAudienceRefused, "aud"},
		"other aud":        {es.token(es.header(), claims(object{"aud": "order"})), authz.ReasonAudienceRefused, "aud"},
		"empty aud":        {es.token(es.header(), claims(object{"aud": []string{}})), authz.ReasonAudienceRefused, "aud"},
		"aud object":       {es.token(es.header(), claims(object{"aud": object{"orders": true}})), authz.ReasonAudienceRefused, "aud"},
		"aud mixed":        {es.token(es.header(), claims(object{"aud": []any{"orders", 1}})), authz.ReasonAudienceRefused, "aud"},
		"aud joined":       {es.token(es.header(), claims(object{"aud": "orders billing"})), authz.ReasonAudienceRefused, "aud"},
		"no exp":           {es.token(es.header(), claims(object{"exp": nil})), claim, "exp"},
		"exp string":       {es.token(es.header(), claims(object{"exp": "1900000000"})), claim, "exp"},
		"exp negative":     {es.token(es.header(), claims(object{"exp": -1})), claim, "exp"},
		"exp null":         {payload(`{"nbf":null,`), claim, "nbf"},
		"exp milliseconds": {es.token(es.header(), claims(object{"exp": now.UnixMilli()})), claim, "exp"},
		"exp huge":         {es.token(es.header(), claims(object{"exp": 1e300})), claim, "exp"},
		"nbf string":       {es.token(es.header(), claims(object{"nbf": "0"})), claim, "nbf"},
		"iat bool":         {es.token(es.header(), claims(object{"iat": true})), claim, "iat"},
		"iat negative":     {es.token(es.header(), claims(object{"iat": -0.5})), claim, "iat"},
		"expired":          {es.token(es.header(), claims(object{"exp": now.Unix() - 30})), authz.ReasonTokenExpired, "expired"},
		"expired, part":    {es.token(es.header(), claims(object{"exp": float64(now.Unix()) - 30.25})), authz.ReasonTokenExpired, "expired"},
		"nbf ahead":        {es.token(es.header(), claims(object{"nbf": now.Unix() + 31})), authz.ReasonTokenNotYetValid, "nbf"},
		"iat ahead":        {es.token(es.header(), claims(object{"iat": now.Unix() + 31})), authz.ReasonTokenNotYetValid, "iat"},
		"sub number":       {es.token(es.header(), claims(object{"sub": 1})), claim, "sub"},
		"sub null":         {es.compact(toJSON(es.header()), strings.Replace(toJSON(claims(nil)), `"alice"`, "null", 1)), claim, "sub"},
		"client number":    {es.token(es.header(), claims(object{"client_id": 7})), claim, "client"},
		"scope number":     {es.token(es.header(), claims(object{"scope": 7})), claim, "scopes"},
		"scope mixed":      {es.token(es.header(), claims(object{"scope": []any{"a", 7}})), claim, "scopes"},
		"scope smuggled":   {es.token(es.header(), claims(object{"scope": []any{"a admin"}})), claim, "scopes"},
		"scope control":    {es.token(es.header(), claims(object{"scope": "a\r\nb"})), claim, "scopes"},
		"bound to a key":   {es.token(es.header(), claims(object{"cnf": object{"jkt": "x"}})), authz.ReasonBindingRefused, "cnf"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Verify(t.Context(), request(""), authz.Credential{Value: authz.Secret(c.token)})
			wantRefused(t, err, c.reason, c.text)
			if strings.Contains(err.Error(), "alice") || len(c.token) > 20 && strings.Contains(err.Error(), c.token) {
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
}

// trailingBits sets a bit that base64 does not need: the bytes stay the same.
func trailingBits(segment string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if len(segment)%4 == 0 {
		panic("the segment has no spare bits")
	}
	last := strings.IndexByte(alphabet, segment[len(segment)-1])
	changed := segment[:len(segment)-1] + alphabet[last+1:last+2]
	a, _ := base64.RawURLEncoding.DecodeString(segment)
	b, err := base64.RawURLEncoding.DecodeString(changed)
	if err != nil || string(a) != string(b) {
		panic("not a second spelling of the segment")
	}
	return changed
}
