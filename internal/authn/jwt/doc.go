// Package jwt authenticates callers by JSON Web Tokens (RFC 7519), as strictly as RFC 8725 asks for.
//
// A [Scheme] verifies a token in this order; the first step that fails names the reason:
//
//  1. seen.    A token that was verified before is in [Tokens], under the digest of the scheme and of its text. Its
//     times, its certificate binding and its issuer's keys are looked at again; then it is done.
//  2. parse.   Size, three segments of strict base64url, JSON that has one reading only (parse.go, json.go). No crit,
//     no nested or encrypted token, nothing compressed.
//  3. issuer.  The claim iss, not believed yet, picks one of the scheme's issuers, and with it the algorithms, the
//     audiences and the keys that count. What a header says of keys (jwk, jku, x5u, x5c) never does.
//  4. claims.  Times, audience, required claims, certificate binding (claims.go, certificate.go). What a token says
//     against itself needs no proof, so this stands before the costly step.
//  5. key.     By kid, of the type and curve that the algorithm takes (keyset.go).
//  6. verify.  The signature (algorithm.go). Only now is anything believed, and remembered.
//
// Key sets stand in the resource, in a file, or are [KeySets]: fetched from an address or by OpenID Connect discovery
// and kept fresh in the background across reloads (remote.go). A request reads the last good set without a lock. It
// waits, up to its deadline, in two cases only: before the first set has come, and when a set lacks the token's kid,
// for which a set is fetched again at most every 30 s. A bad signature never causes a fetch. Where nobody can tell
// whether a key exists the answer is "unavailable" and not "no".
//
// Fetching trusts nobody: https only, no redirects, no proxies, bounded time and size, no metadata addresses
// (fetch.go, dial.go).
package jwt
