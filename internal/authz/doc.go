// Package authz holds the words of Postern: the nouns that every other package speaks in, and nothing that
// reaches outside the process. It imports the standard library only.
//
// One check passes through six steps:
//
//  1. extauthz decodes Envoy's CheckRequest into a [Request] and calls [Request.Canonicalize]. What is malformed
//     or can be read in two ways is denied there.
//  2. policy takes one snapshot of everything compiled and finds the rule for the request's host, path and method.
//     No rule: deny.
//  3. The rule's requirement is an OR of ANDs of schemes. They run in order, in the caller's goroutine; the first
//     alternative that holds wins.
//  4. A scheme is an [Authenticator]: it extracts its [Credential] and verifies it, which yields a [Principal].
//  5. The rule authorizes the Principal (scopes, apps, conditions) and yields a [Decision] with a [Mutation].
//  6. extauthz encodes the Decision; telemetry records its [Reason].
//
// Two properties hold by construction. The zero Decision denies, and [Allow] is the only constructor that allows.
// A [Secret] never prints itself.
//
// Strings of a Request alias the buffer it was received in and are valid only until the check returns; whoever
// keeps one clones it.
package authz
