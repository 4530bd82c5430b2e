package jwt

import (
	"encoding/base64"
	"strings"
)

// token is a compact JWS (RFC 7515 section 3.1), read but not verified. It shares no memory with the request.
type token struct {
	algorithm string
	keyID     string
	hasKeyID  bool
	mediaType string // typ in lower case without "application/"; "jwt" where it is absent
	claims    map[string]any

	signed    []byte // what the signature is over
	signature []byte
}

// strictBase64 refuses padding and set bits behind the last byte: one token has one spelling.
var strictBase64 = base64.RawURLEncoding.Strict()

// registered are the names that decide about a token. A member that differs from one only by case is refused, since
// some readers take it for the name itself.
var (
	registeredParameters = []string{"alg", "kid", "typ", "cty", "crit", "b64", "zip", "enc"}
	registeredClaims     = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "scope", "client_id"}
)

// parse reads the text of a token.
//
// Keys and addresses of keys in the header (jwk, jku, x5u, x5c) are passed over: a token stands or falls by the keys
// that its issuer is configured with (RFC 8725 section 3.10).
func parse(text string) (*token, error) {
	headerText, rest, two := strings.Cut(text, ".")
	payloadText, signatureText, three := strings.Cut(rest, ".")
	if !two || !three || strings.ContainsAny(text, "\r\n") { // base64 would pass over line breaks
		return nil, errSegments
	}
	header, err1 := strictBase64.DecodeString(headerText)
	payload, err2 := strictBase64.DecodeString(payloadText)
	signature, err3 := strictBase64.DecodeString(signatureText) // a fourth segment's dot is no base64
	if err1 != nil || err2 != nil || err3 != nil {
		return nil, errSegments
	}
	parameters, err := decodeObject(string(header))
	if err != nil || hasVariant(parameters, registeredParameters) {
		return nil, errHeader
	}
	t := &token{
		signed:    []byte(text[:len(text)-len(signatureText)-1]),
		signature: signature,
	}
	if err := t.readHeader(parameters); err != nil {
		return nil, err
	}
	t.claims, err = decodeObject(string(payload))
	if err != nil || hasVariant(t.claims, registeredClaims) {
		return nil, errPayload
	}
	return t, nil
}

// readHeader takes what counts out of the header's parameters.
func (t *token) readHeader(parameters map[string]any) error {
	for _, name := range [...]string{"crit", "b64", "zip", "enc"} {
		if _, there := parameters[name]; there {
			return errExtension
		}
	}
	contentType := ""
	for _, p := range [...]struct {
		name string
		to   *string
	}{{"alg", &t.algorithm}, {"kid", &t.keyID}, {"typ", &t.mediaType}, {"cty", &contentType}} {
		v, there := parameters[p.name]
		s, ok := v.(string)
		if there && !ok {
			return errParameter
		}
		*p.to = s
	}
	if t.algorithm == "" {
		return errParameter
	}
	_, t.hasKeyID = parameters["kid"]
	if _, there := parameters["typ"]; !there {
		t.mediaType = "JWT"
	}
	t.mediaType = mediaType(t.mediaType)
	if contentType = mediaType(contentType); contentType == "jwt" || strings.HasSuffix(contentType, "+jwt") {
		return errNested
	}
	return nil
}

// mediaType returns the one spelling of a typ or cty: without case, and without the "application/" that may be left
// out (RFC 7515 section 4.1.9).
func mediaType(s string) string {
	return strings.TrimPrefix(strings.ToLower(s), "application/")
}

// hasVariant reports whether a member of the object is one of the names in another case.
func hasVariant(object map[string]any, names []string) bool {
	for member := range object {
		for _, name := range names {
			if member != name && strings.EqualFold(member, name) {
				return true
			}
		}
	}
	return false
}
