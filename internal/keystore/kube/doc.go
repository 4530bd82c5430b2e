// Package kube reads API keys from Secrets of Kubernetes: of a cluster, or as manifests in a directory of resources.
//
//	apiVersion: v1
//	kind: Secret
//	metadata:
//	  name: acme-2026
//	  namespace: shop
//	  labels:
//	    postern.dev/credential: api-key           # this makes the Secret an API key
//	    postern.dev/app: acme                     # whose it is: an App of the namespace
//	  annotations:
//	    postern.dev/scopes: orders:read,billing   # default: the App's
//	    postern.dev/not-before: 2026-10-01T00:00:00Z
//	    postern.dev/expires-at: 2027-01-31T00:00:00Z
//	    postern.dev/disabled: "true"
//	stringData:
//	  digest: sha256:…                            # as in an App; or key, the text, of which only the digest is kept
//
// The key's id is namespace/app/secret: shop/acme/acme-2026. A Secret without the label postern.dev/app is an App by
// itself, of the Secret's name and with its labels, which has the scopes that it asks for.
//
// [Trim] takes the text of keys out of Secrets before anything else sees them, [FromSecret] makes a [Credential] of one.
// Neither keeps a key or shows it in an error. The credentials are indexed with those of Apps, by keystore/declared.
package kube
