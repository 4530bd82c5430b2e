// Package kube is a Kubernetes cluster as a source of resources: AuthSchemes, AuthPolicies and Apps as custom resources,
// the Secrets they refer to, and the routes of the Gateway API that policies are attached to.
package kube
