// Package attach works out which AuthPolicy holds for which rule of which route of the Gateway API. It reads nothing and
// writes nothing: objects in, [Output] out.
//
// A policy names its targets (GEP-713). Of those that reach a rule of a route on a listener the most specific wins:
//
//	the rule (sectionName) > the HTTPRoute or GRPCRoute > the Gateway's listener (sectionName) > the Gateway
//
// The winner replaces the others wholly; nothing is merged. Of two policies on the very same target the older wins, then
// the first by namespace and name, and the other is Conflicted: it holds nowhere on that target. A policy that holds for
// nothing, since more specific ones have taken all of its target, is overridden.
//
// For example, Gateway infra/web has the listener https, HTTPRoute shop/orders is on it with the rules read and write,
// and so is HTTPRoute shop/catalog:
//
//	AuthPolicy      targetRef                          holds for
//	infra/default   Gateway infra/web                  shop/catalog
//	shop/orders     HTTPRoute shop/orders              rule read of shop/orders
//	shop/write      HTTPRoute shop/orders, rule write  rule write of shop/orders
//	shop/late       HTTPRoute shop/orders              nothing: Conflicted with shop/orders, which is older
//
// A target in another namespace needs a ReferenceGrant there, from kind AuthPolicy of group postern.dev in the policy's
// namespace. A target that is not there or not granted is as good as not named.
//
// A route counts on those listeners that it names in parentRefs and that allow it by namespace, kind and hostname, as
// its spec and the Gateway's say. What statuses add is doubt, see listeners.serving: a route that was refused, or that is
// accepted on a ListenerSet, on a Gateway that is not known, or by useDefaultGateways, is on listeners of its own, and so
// never decides alone where others are. Routes of a Service (GAMMA) are not attached to anything.
//
// What is not known is refused as well. A match of a form that this package does not know, or with an expression that
// RE2 does not take, becomes a Route of its own, wider than the match, with Denied. And since a request does not tell
// which listener it came through, Routes name those of Envoy that they are on, so that whoever matches can refuse where
// these do not agree.
package attach
