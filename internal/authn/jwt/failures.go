package jwt

import (
	"errors"

	"github.com/postern-auth/postern/internal/authz"
)

// The failures are made once, for a refusal must not cost more than an acceptance.
var (
	errTooLong    = refuse(authz.ReasonMalformedCredential, "the token is longer than the limit")
	errSegments   = refuse(authz.ReasonMalformedCredential, "not a compact JWS: three segments of unpadded base64url")
	errHeader     = refuse(authz.ReasonMalformedCredential, "the token's header is not one unambiguous JSON object")
	errPayload    = refuse(authz.ReasonMalformedCredential, "the token's claims are not one unambiguous JSON object")
	errExtension  = refuse(authz.ReasonMalformedCredential, "the token's header holds crit, b64, zip or enc")
	errParameter  = refuse(authz.ReasonMalformedCredential, "alg, kid, typ or cty of the token's header is not a string")
	errNested     = refuse(authz.ReasonMalformedCredential, "the token holds another token (cty)")
	errType       = refuse(authz.ReasonClaimRefused, "the token's typ is not one that the scheme accepts")
	errIssuer     = refuse(authz.ReasonIssuerRefused, "the token's iss is not an issuer of the scheme")
	errAlgorithm  = refuse(authz.ReasonAlgorithmRefused, "the token's alg is not one of its issuer's")
	errKeyType    = refuse(authz.ReasonAlgorithmRefused, "the token's alg does not fit the key")
	errUnknownKey = refuse(authz.ReasonUnknownKey, "the issuer has no key of the token's kid")
	errNoKeyID    = refuse(authz.ReasonUnknownKey, "the token has no kid and the issuer has not one key alone")
	errTwoKeys    = refuse(authz.ReasonUnknownKey, "the issuer has several keys of the token's kid")
	errSignature  = refuse(authz.ReasonBadSignature, "the signature is not the key's")
	errExpired    = refuse(authz.ReasonTokenExpired, "the token has expired")
	errEarly      = refuse(authz.ReasonTokenNotYetValid, "the token's nbf or iat lies in the future")
	errAudience   = refuse(authz.ReasonAudienceRefused, "the token's aud names no audience of the scheme")
	errExpiry     = refuse(authz.ReasonClaimRefused, "exp is missing or not a number of seconds")
	errTime       = refuse(authz.ReasonClaimRefused, "nbf or iat is not a number of seconds")
	errSubject    = refuse(authz.ReasonClaimRefused, "sub, or the claim of the subject, is not a string")
	errClient     = refuse(authz.ReasonClaimRefused, "the claim of the client is not a string")
	errScopes     = refuse(authz.ReasonClaimRefused, "the claim of the scopes is not a list of scopes")
	errConfirm    = refuse(authz.ReasonBindingRefused, "the token is bound (cnf) in a way that is not checked here")
	errUnbound    = refuse(authz.ReasonBindingRefused, "the token is not bound to a certificate")
	errThumbprint = refuse(authz.ReasonBindingRefused, "the token is bound to another certificate than the client showed")

	errNoTime = authz.Fail(authz.ReasonInternal, errors.New("nobody said what time it is"))
	errNoKeys = authz.Fail(authz.ReasonKeysUnavailable, errors.New("the issuer's keys could not be fetched"))
)

func refuse(reason authz.Reason, text string) *authz.Failure {
	return authz.Fail(reason, errors.New(text))
}
