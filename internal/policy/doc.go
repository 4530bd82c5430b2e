// Package policy says what is required where: it compiles AuthPolicies into an immutable [Set], finds the rule for a
// request, and decides.
//
// A [Compiler] turns the objects into a Set and remembers each object's last good version, so that one bad object
// keeps what it was, or denies its own routes, and touches nothing else. An [Engine] holds the Set in force behind an
// atomic pointer; a check loads it once.
//
// # Finding the rule
//
// The most specific host pattern wins alone: the exact name, then the wildcard with the longest suffix. The rules of
// all policies that name this pattern are in one router. Among the matches that fit, these win, in this order:
//
//  1. the more specific path: exact; template, by the number of literal segments; the longest prefix; regex; no path;
//  2. the one that names methods, then the one with more headers, then the one that names sources;
//  3. the older policy, by creation time, then by name; in one policy the first.
//
// Two matches for the same requests conflict: the first stays, the other is reported. A prefix matches whole segments;
// with a slash at its end it does not match the path without it. A method matches itself alone, HEAD is not GET.
//
// A path has two readings, [authz.Route]'s Path and Loose. The rule is found by both, and two different rules are
// ambiguous, as are two different values of a parameter that an expression reads: 400. What is not found is denied.
//
// # Deciding
//
// Every scheme of the rule extracts its credential once, before anything is verified: an ambiguous one refuses the
// request. Then the alternatives are tried in order, each scheme verified at most once, until one holds. What is
// remembered of the others, if none does, is the gravest: could not tell (503), then known but lacking a scope (403),
// then refused (401). The principal is authorized by the rule's conditions. Every way to an allow ends in the same
// hygiene: identity headers are set or removed, never left as the client sent them. Credentials are taken out, except
// in Shadow mode, where the application may still check them itself.
//
// Explain is Check with a [Trace]: there is one implementation.
package policy
