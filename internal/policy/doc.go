// Package policy says what is required where: it compiles AuthPolicies into an immutable [Set], finds the rule for a
// request, and decides.
//
// A [Compiler] turns the objects into a Set and remembers each object's last good version, so that one bad object
// denies its own routes, or keeps what it was, and touches nothing else. An [Engine] holds the Set in force behind an
// atomic pointer; a check loads it once.
//
// # Finding the rule
//
// The most specific host pattern wins alone: the exact name, then the wildcard with the longest suffix. The rules of
// all policies that name this pattern are in one router. Among rules that match, the more specific path wins (exact;
// template, by literal segments; longest prefix; regex; no path at all), then the one that names methods, then the
// one with more headers, then the one that names sources, then the older policy, then the order in the policy.
//
// A path has two readings, [authz.Route]'s Path and Loose. The rule is found by both, and two different rules are
// ambiguous: 400. What is not found is denied.
//
// # Deciding
//
// Every scheme of the rule extracts its credential once, before anything is verified: an ambiguous one refuses the
// request. Then the alternatives are tried in order, each scheme verified at most once, until one holds. What is
// remembered of the others, if none does, is the gravest: could not tell (503), then known but lacking a scope (403),
// then refused (401). The principal is authorized by the rule's conditions. Every way to an allow ends in the same
// hygiene: identity headers are set or removed, never left as the client sent them, and credentials are taken out.
//
// Explain is Check with a [Trace]: there is one implementation.
package policy
