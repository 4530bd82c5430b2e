// Package signature authenticates signed requests.
//
// A profile is one signing format; it lives in one file and says how to read a signature out of a request, what bytes
// were signed, and how they bind the body. Whatever all formats share is here once, so that a profile cannot forget it.
// A request passes these phases, in this order, and the first that does not hold refuses it:
//
//  1. form: the profile reads the one signature that counts, within fixed bounds (profile.parse);
//  2. time: created is there, neither in the future nor too old, and expires has not passed;
//  3. base: the profile builds what was signed from the request as it arrived (profile.base);
//  4. key: every key with the claimed id whose App the scheme accepts, each with the one algorithm that fits it;
//  5. proof: one of the keys verifies the base. An unknown id costs a check against a key nobody has, of the algorithm
//     that the signature names, or else of the first that the scheme accepts;
//  6. coverage: all that the scheme requires was signed;
//  7. body: the bytes are those that were signed, and all of them were there to look at;
//  8. replay: the same signed bytes, or the same nonce, have not been accepted before. It comes last, so that only a
//     caller who holds a key can fill the memory, and a spoiled copy cannot use up the original.
//
// What was signed counts once. Clients that may send the same request twice within a second add a nonce; where two
// proxies on one path both ask about a request, the inner one's scheme sets replay: Allow.
//
// It counts once whichever scheme and profile accepts it, and two things escape that. A key id is rarely signed, so a
// secret under two ids counts once with each. And profiles do not mark what they sign as theirs: once a signature that
// has a time is forgotten, its base is still a body that was signed, which is all that a profile without a time, such as
// github, asks of the same key. So each key has a secret of its own, and serves one profile.
//
// Envoy should run with encode_raw_headers. Without it a byte that is not UTF-8 reaches us as '!', so a signed '!' can
// be replaced by such a byte on the way, and repeated fields can only be guessed at.
//
// [Sign] is the other direction. It shares the base builder with the verifier, so the two cannot drift apart.
package signature
