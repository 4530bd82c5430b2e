// Package policy says what is required where: it compiles AuthPolicies into an immutable [Set], finds the rule for a
// request, and decides.
//
// A [Compiler] turns the objects into a Set and remembers each object's last good version, so that one bad object
// keeps what it was, or denies its own routes, and touches nothing else. An [Engine] holds the Set in force behind an
// atomic pointer; a check loads it once.
//
// # Finding the policy
//
// A policy is for hosts that it names, or for Routes of the Gateway API that it is attached to. A request's Route comes
// first, then the rule of the policy attached to it; a request without a Route, or whose Route has no policy, belongs to
// the policies that name its host. Which Route Envoy has chosen is known in three ways, in this order:
//
//  1. The route names the policy itself, in its context_extensions: postern.dev/policy.
//  2. Envoy Gateway names the route, in the route's metadata. One that is not known denies.
//  3. Nobody says: the Route is found as Envoy finds it, on each listener by itself. Of the listener's Routes those count
//     that name the most specific host, as Envoy has one virtual host for a request; of these the one that the Gateway
//     API prefers, by path, method, headers, query parameters, age, name and place.
//
// The third way is as good as what is known. So it denies where listeners differ in the policy for the request, since
// nothing tells through which one it came, and where gateways differ in what they prefer: a prefix or an expression, or
// which of two equally specific matches. So it does where they differ in the path that a GRPCRoute stands for which names
// a service or a method alone. A Route that only redirects gives way to what another listener serves. It refuses with 400
// what may not be what Envoy saw: a parameter in two spellings, a header with bytes that Envoy replaced. It cannot see a
// header that Envoy was told not to send, a route in a namespace that is not watched, or what a gateway adds to the Gateway
// API, as Envoy Gateway does: cookies that an HTTPRouteFilter matches, preserveRouteOrder of an EnvoyProxy. Let Envoy name
// the route there.
//
// A Route denies if the policy attached to it is not there or in error, and if the policy's namespace was not granted
// every host of the Route. Where a match could not be read, what it may stand for is denied, whatever else fits.
//
// # Finding the rule
//
// For policies that name hosts the most specific host pattern wins alone: the exact name, then the wildcard with the
// longest suffix. The rules of all policies that name this pattern are in one router; those of a policy attached to a
// Route are in one of their own. Among the matches that fit, these win, in this order:
//
//  1. the more specific path: exact; template, by the number of literal segments; the longest prefix; regex; no path;
//  2. the one that names methods, then the one with more headers, then the one that names sources;
//  3. the older policy, by creation time, then by name; in one policy the first.
//
// Two matches for the same requests conflict: the first stays, the other is reported. A prefix matches whole segments;
// with a slash at its end it does not match the path without it. A method matches itself alone, HEAD is not GET.
//
// A path has two readings, [authz.Route]'s Path and Loose. The Route and the rule are found by both, and two different
// rules, or Routes with different policies, are ambiguous, as are two different values of a parameter that an
// expression reads: 400. What is not found is denied.
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
