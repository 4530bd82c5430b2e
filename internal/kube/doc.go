// Package kube is a Kubernetes cluster as a source of resources: AuthSchemes, AuthPolicies and Apps as custom resources,
// the Secrets that are labelled for Postern, and the Gateways and routes of the Gateway API that policies are attached
// to.
//
// A [Source] goes through these steps. It watches each kind through a cache, which trims objects before it keeps them. An
// event turns one object into a document, or changes nothing if only a status was written. When a moment of quiet has
// passed, everything is laid out as one [source.Snapshot]; documents that have not changed are the same ones as in the
// snapshot before. What became of a snapshot goes to package status, which writes it into the cluster.
//
// While the API server cannot be asked nothing changes: what was in force stays, and the watches begin anew by
// themselves. Nothing is asked of the API server during a check.
//
// The Gateway API need not be installed. Its kinds are looked for when watching begins, every few seconds for a minute,
// and then every minute, each by itself; with the first of a kind, policies are attached anew. Deleting a definition
// deletes its objects, here as anywhere; then the API server is reported as not answering about the kind until the
// definition is there again.
//
// Nothing is delivered before everything could be read. A kind that may not be watched keeps a replica from becoming
// ready, and each such kind is reported.
package kube
