package v1alpha1

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
)

// mostKeySet bounds a JWK Set that stands in a resource, in bytes.
const mostKeySet = 64 << 10

// The JWS algorithms (RFC 7518 section 3.1, RFC 8037, RFC 9864). EdDSA stands for Ed25519 under either name.
var (
	asymmetricAlgorithms = []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
	}
	secretAlgorithms = []string{"HS256", "HS384", "HS512"}
)

func (c *checker) jwt(at path, j *JWTScheme) {
	c.locations(at.dot("in"), j.In)
	if len(j.Issuers) == 0 {
		c.errorf(at.dot("issuers"), "name an issuer and its audiences", "is empty")
	}
	c.count(at.dot("issuers"), len(j.Issuers), 64)
	seen := names{}
	for i := range j.Issuers {
		place := at.dot("issuers").index(i)
		c.issuer(place, &j.Issuers[i])
		c.unique(seen, place.dot("issuer"), j.Issuers[i].Issuer, "the issuer")
	}
	c.words(at.dot("types"), j.Types, 16)
	c.duration(at.dot("leeway"), j.Leeway, 0, mostLeeway)
	c.words(at.dot("require"), j.Require, 64)
	if !slices.Contains(j.Require, "exp") {
		c.errorf(at.dot("require"), "add exp", "a token that never expires is not accepted")
	}
	c.words(at.dot("claims").dot("scopes"), j.Claims.Scopes, 16)
	c.word(at.dot("claims").dot("subject"), j.Claims.Subject)
	c.word(at.dot("claims").dot("client"), j.Claims.Client)
	oneWord(c, at.dot("certificateBound"), j.CertificateBound, BindingOff, BindingOptional, BindingRequired)
}

func (c *checker) issuer(at path, iss *JWTIssuer) {
	c.word(at.dot("issuer"), iss.Issuer)
	if len(iss.Audiences) == 0 {
		c.errorf(at.dot("audiences"), "name what tokens for this service carry in aud", "is empty")
	}
	c.words(at.dot("audiences"), iss.Audiences, 64)
	c.algorithms(at, iss)
	if iss.Secret != nil {
		c.secret(at.dot("secret"), iss.Secret)
	}
	if iss.SecretRef != nil {
		c.secretReference(at.dot("secretRef"), iss.SecretRef)
	}
	if iss.JWKS != nil {
		c.jwks(at.dot("jwks"), iss.JWKS)
	}
	keys := choices{{"secret", iss.Secret != nil}, {"secretRef", iss.SecretRef != nil}, {"jwks", iss.JWKS != nil}}
	switch set := keys.set(); {
	case len(set) > 1:
		c.errorf(at, "keep one of them", "%s and %s are both set", set[0], set[1])
	case len(set) == 0 && iss.Issuer != "": // found by discovery
		c.httpsURL(at.dot("issuer"), iss.Issuer)
		if strings.Contains(iss.Issuer, "?") {
			c.errorf(at.dot("issuer"), "leave the query out, or say where the keys are with jwks", "discovery has no place for a query")
		}
	}
}

func (c *checker) algorithms(at path, iss *JWTIssuer) {
	seen := names{}
	for i, a := range iss.Algorithms {
		place := at.dot("algorithms").index(i)
		c.unique(seen, place, a, quote(a))
		secret, asymmetric := slices.Contains(secretAlgorithms, a), slices.Contains(asymmetricAlgorithms, a)
		switch {
		case secret && !iss.Shared():
			c.errorf(place, "add secret: {file: …} or secretRef beside it, or use RS256, PS256, ES256, EdDSA", "%s needs a secret", a)
		case asymmetric && iss.Shared():
			c.errorf(place, "use only HS256, HS384, HS512 here, or remove the secret",
				"%s must not stand beside a secret: a public key could be taken for it", a)
		case !secret && !asymmetric:
			c.errorf(place, "use some of "+strings.Join(asymmetricAlgorithms, ", ")+
				"; or, with a secret, of "+strings.Join(secretAlgorithms, ", "), "%s is not accepted", quote(a))
		}
	}
}

func (c *checker) jwks(at path, j *JWKSSource) {
	c.oneOf(at, choice{"uri", j.URI != ""}, choice{"inline", j.Inline != ""}, choice{"file", j.File != ""},
		choice{"secretRef", j.SecretRef != nil})
	if j.URI != "" {
		c.atMost(at.dot("uri"), j.URI, 1024)
		c.httpsURL(at.dot("uri"), j.URI)
	}
	if j.File != "" {
		c.file(at.dot("file"), j.File)
	}
	if j.SecretRef != nil {
		c.secretReference(at.dot("secretRef"), j.SecretRef)
	}
	if j.Inline != "" {
		c.atMost(at.dot("inline"), j.Inline, mostKeySet)
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if err := json.Unmarshal([]byte(j.Inline), &set); err != nil || len(set.Keys) == 0 {
			c.errorf(at.dot("inline"), `write the set as JSON text: '{"keys": [ … ]}'`, "is not a JWK Set with at least one key")
		}
	}
}

// words checks a list of claims, types or audiences.
func (c *checker) words(at path, words []string, most int) {
	c.count(at, len(words), most)
	seen := names{}
	for i, w := range words {
		c.word(at.index(i), w)
		c.unique(seen, at.index(i), w, quote(w))
	}
}

// word checks text that is compared with, or looked up in, a token.
func (c *checker) word(at path, w string) {
	c.length(at, w, 1024)
	if hasControl(w) || strings.Contains(w, " ") {
		c.errorf(at, "write it as it stands in the token", "%s holds a space or a control character", quote(w))
	}
}

// isLoopback reports whether the host is this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
