// The custom resource definitions that the chart's objects are checked against come with these modules. Nothing of them
// is built: `go mod download` fetches them, pinned by go.sum.
module github.com/postern-auth/postern/test/tools/definitions

go 1.26.0

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/envoyproxy/gateway v1.9.1
	github.com/prometheus-operator/prometheus-operator v0.85.0
	istio.io/api v1.31.1
)
