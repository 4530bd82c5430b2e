// Package mesh holds Postern against real meshes: istiod and Envoy Gateway's controller read the examples in envoy/ from
// a real API server and configure a real Envoy by them; Postern reads its policies from the same API server.
//
// The examples are applied as they stand, and afterwards what the chart makes for the same ends; only Istio's own mutual
// TLS is off in the mesh's configuration, for nothing here hands out certificates. What a cluster has beside them is in
// testdata: Services, their endpoints, and what a controller or a kubelet that is not there would have made; the tests
// play the kubelet of Envoy Gateway's Envoy and take its command line from its Deployment.
//
// Both controllers and both Envoys insist on listening everywhere. So the test binary runs itself again in a network
// namespace of its own, in which there is nothing but a loopback interface; 192.0.2.0/24 (RFC 5737) is its network of Pods,
// for the API server takes no loopback address for an endpoint. That needs Linux, and root or user namespaces.
//
// The first run builds both controllers, which takes minutes; they stay in the user's cache.
package mesh
