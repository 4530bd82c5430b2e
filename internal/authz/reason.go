package authz

// Reason is why a request was decided as it was: a closed enumeration, shown in metadata, metrics and the decision
// log. Clients see only the Class.
type Reason uint8

// The zero Reason belongs to the zero Decision, which denies.
const (
	ReasonUndecided Reason = iota

	// Allowed.
	ReasonAuthenticated // an alternative of the requirement held
	ReasonAnonymous     // the rule lets callers without a credential through
	ReasonPreflight     // a CORS preflight that the policy exempts

	// The request cannot be read in one way.
	ReasonMalformedRequest
	ReasonAmbiguousPath
	ReasonAmbiguousHost
	ReasonAmbiguousRoute // a header or parameter that routes match can be read in two ways
	ReasonAmbiguousCredential

	// No credential, or one that does not hold.
	ReasonNoCredential
	ReasonMalformedCredential
	ReasonUnknownKey
	ReasonKeyDisabled
	ReasonKeyRevoked
	ReasonKeyExpired
	ReasonKeyNotYetValid
	ReasonAppNotAccepted // the key's App is disabled or not one the scheme accepts
	ReasonBadSignature
	ReasonAlgorithmRefused
	ReasonNotCovered      // the signature leaves out something that must be signed
	ReasonBodyMismatch    // the body is not the one that was signed
	ReasonBodyUnavailable // a body must be verified and Envoy did not hand it over
	ReasonClockSkew       // a time lies outside the window
	ReasonReplayed
	ReasonTokenExpired
	ReasonTokenNotYetValid
	ReasonIssuerRefused
	ReasonAudienceRefused
	ReasonClaimRefused   // a required claim is missing or of the wrong type
	ReasonBindingRefused // the token is bound to a key or certificate that was not shown

	// Known, and not allowed.
	ReasonNoPolicy
	ReasonNoRule
	ReasonPolicyInvalid // the policy for this route does not compile
	ReasonMissingScope
	ReasonAppNotAllowed
	ReasonConditionFailed
	ReasonConditionError

	// Too much body to verify.
	ReasonBodyTooLarge

	// Could not tell.
	ReasonStoreUnavailable
	ReasonKeysUnavailable // a token's key set could not be fetched
	ReasonReplayUnavailable
	ReasonOverloaded
	ReasonDeadline
	ReasonInternal

	reasonCount
)

// Class is what a client may know of a Reason. It fixes the status.
type Class uint8

// The zero Class is that of a denial nobody made: it is answered like one that could not be told.
const (
	ClassUnavailable     Class = iota // 503
	ClassAllowed                      // no answer of ours
	ClassBadRequest                   // 400
	ClassUnauthenticated              // 401
	ClassForbidden                    // 403
	ClassTooLarge                     // 413
)

var reasons = [reasonCount]struct {
	name  string
	class Class
}{
	ReasonUndecided:           {"undecided", ClassUnavailable},
	ReasonAuthenticated:       {"authenticated", ClassAllowed},
	ReasonAnonymous:           {"anonymous", ClassAllowed},
	ReasonPreflight:           {"preflight", ClassAllowed},
	ReasonMalformedRequest:    {"malformed_request", ClassBadRequest},
	ReasonAmbiguousPath:       {"ambiguous_path", ClassBadRequest},
	ReasonAmbiguousHost:       {"ambiguous_host", ClassBadRequest},
	ReasonAmbiguousRoute:      {"ambiguous_route", ClassBadRequest},
	ReasonAmbiguousCredential: {"ambiguous_credential", ClassBadRequest},
	ReasonNoCredential:        {"no_credential", ClassUnauthenticated},
	ReasonMalformedCredential: {"malformed_credential", ClassUnauthenticated},
	ReasonUnknownKey:          {"unknown_key", ClassUnauthenticated},
	ReasonKeyDisabled:         {"key_disabled", ClassUnauthenticated},
	ReasonKeyRevoked:          {"key_revoked", ClassUnauthenticated},
	ReasonKeyExpired:          {"key_expired", ClassUnauthenticated},
	ReasonKeyNotYetValid:      {"key_not_yet_valid", ClassUnauthenticated},
	ReasonAppNotAccepted:      {"app_not_accepted", ClassUnauthenticated},
	ReasonBadSignature:        {"bad_signature", ClassUnauthenticated},
	ReasonAlgorithmRefused:    {"algorithm_refused", ClassUnauthenticated},
	ReasonNotCovered:          {"not_covered", ClassUnauthenticated},
	ReasonBodyMismatch:        {"body_mismatch", ClassUnauthenticated},
	ReasonBodyUnavailable:     {"body_unavailable", ClassUnauthenticated},
	ReasonClockSkew:           {"clock_skew", ClassUnauthenticated},
	ReasonReplayed:            {"replayed", ClassUnauthenticated},
	ReasonTokenExpired:        {"token_expired", ClassUnauthenticated},
	ReasonTokenNotYetValid:    {"token_not_yet_valid", ClassUnauthenticated},
	ReasonIssuerRefused:       {"issuer_refused", ClassUnauthenticated},
	ReasonAudienceRefused:     {"audience_refused", ClassUnauthenticated},
	ReasonClaimRefused:        {"claim_refused", ClassUnauthenticated},
	ReasonBindingRefused:      {"binding_refused", ClassUnauthenticated},
	ReasonNoPolicy:            {"no_policy", ClassForbidden},
	ReasonNoRule:              {"no_rule", ClassForbidden},
	ReasonPolicyInvalid:       {"policy_invalid", ClassForbidden},
	ReasonMissingScope:        {"missing_scope", ClassForbidden},
	ReasonAppNotAllowed:       {"app_not_allowed", ClassForbidden},
	ReasonConditionFailed:     {"condition_failed", ClassForbidden},
	ReasonConditionError:      {"condition_error", ClassForbidden},
	ReasonBodyTooLarge:        {"body_too_large", ClassTooLarge},
	ReasonStoreUnavailable:    {"store_unavailable", ClassUnavailable},
	ReasonKeysUnavailable:     {"keys_unavailable", ClassUnavailable},
	ReasonReplayUnavailable:   {"replay_unavailable", ClassUnavailable},
	ReasonOverloaded:          {"overloaded", ClassUnavailable},
	ReasonDeadline:            {"deadline", ClassUnavailable},
	ReasonInternal:            {"internal", ClassUnavailable},
}

// Reasons lists every Reason, in order.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// String returns the reason's name in metadata, metrics and logs.
func (r Reason) String() string {
	if r >= reasonCount {
		return reasons[ReasonUndecided].name
	}
	return reasons[r].name
}

// Class returns what a client may know of the reason.
func (r Reason) Class() Class {
	if r >= reasonCount {
		return ClassUnavailable
	}
	return reasons[r].class
}

// classes gives each Class its wire forms: RFC 9457's code and title, the HTTP status, and the gRPC status.
var classes = [...]struct {
	code, title string
	http, grpc  int
}{
	ClassUnavailable:     {"unavailable", "The request could not be checked; try again", 503, 14},
	ClassAllowed:         {"ok", "Allowed", 200, 0},
	ClassBadRequest:      {"bad_request", "The request is malformed or ambiguous", 400, 3},
	ClassUnauthenticated: {"unauthenticated", "A valid credential is required", 401, 16},
	ClassForbidden:       {"forbidden", "The caller may not do this", 403, 7},
	ClassTooLarge:        {"body_too_large", "The request body is too large to verify", 413, 8},
}

func (c Class) known() Class {
	if int(c) >= len(classes) {
		return ClassUnavailable
	}
	return c
}

// Code returns the one word of the class that a client sees.
func (c Class) Code() string { return classes[c.known()].code }

// Title returns the class in one short sentence.
func (c Class) Title() string { return classes[c.known()].title }

// HTTPStatus returns the status code of an answer of this class.
func (c Class) HTTPStatus() int { return classes[c.known()].http }

// GRPCStatus returns the grpc-status of an answer of this class (google.rpc.Code).
func (c Class) GRPCStatus() int { return classes[c.known()].grpc }
