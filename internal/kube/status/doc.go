// Package status writes into a cluster what became of every object, and says of each replica how far it is.
//
// It goes like this. After every load a replica is told ([Status.Update]) which objects there were, what is wrong with
// them and what they are attached to. It remembers from load to load which generation of each object decides. It then
// renews a Lease of its own, whose annotation says up to which resource version of each kind it has put objects in force.
//
// One replica of an installation is elected to write; an installation is the replicas whose Leases share a prefix. From
// what it knows and the Leases of all it works out what each status should say, compares that with the cluster's cache
// and patches what differs: the conditions Accepted, Programmed and Overridden of AuthSchemes, AuthPolicies and Apps,
// the ancestors of AuthPolicies, and the condition postern.dev/AuthPolicyAffected on the Gateways and routes that they
// hold for (GEP-713). A change of Accepted, becoming Overridden, and a generation's becoming Programmed also make an
// Event, and so does an API key in a Secret that is wrong, for a Secret has no status.
//
// Replicas are counted only while some do not decide by a generation yet, and then the count is kept up to date. A
// generation that is Programmed stays so: a replica that starts later starts with it. So when replicas come and go, ten
// thousand statuses stay as they are, and stay true.
//
// What changes is written before what a new leader, or the look once a minute, finds to be written.
//
// Every patch carries the resource version that was compared, and is tried again if somebody else was faster. That also
// holds for Gateways and routes, which belong to their controllers: server-side apply could not keep apart the entries of
// status.parents, for that list is atomic. What somebody else takes away is put back within a minute, not at once, so
// that there is no quarrel; a later generation of a target is observed as soon as its policies change, or within a
// minute.
//
// Nothing that decides depends on any of this.
//
// # Permissions
//
// In the namespace of the pod:
//
//	coordination.k8s.io         leases                                              get list watch create update patch delete
//
// Wherever objects are watched, and for the last line only where the Gateway API is installed:
//
//	events.k8s.io               events                                              create patch
//	postern.dev                 authschemes/status authpolicies/status apps/status    patch
//	gateway.networking.k8s.io   gateways/status httproutes/status grpcroutes/status   patch
//
// What the cache needs to read these objects comes on top.
package status
