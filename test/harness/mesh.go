package harness

import (
	"context"
	"io"
)

// Istiod returns the path of Istio's control plane, which it builds first if need be.
func Istiod(ctx context.Context, progress io.Writer) (string, error) {
	// The tags are those of Istio's own build.
	return controller(ctx, "istio", "istio.io/istio", "pilot/cmd/pilot-discovery", progress, "-tags", "vtprotobuf,disable_pgv")
}

// EnvoyGateway returns the path of Envoy Gateway's control plane, which it builds first if need be.
func EnvoyGateway(ctx context.Context, progress io.Writer) (string, error) {
	return controller(ctx, "envoy-gateway", "github.com/envoyproxy/gateway", "cmd/envoy-gateway", progress)
}

func controller(ctx context.Context, pins, module, command string, progress io.Writer, flags ...string) (string, error) {
	box, err := newToolbox(pins, module, progress)
	if err != nil {
		return "", err
	}
	p := built{name: pins, module: pins, pkg: module + "/" + command}
	return box.path(p.name), box.build(ctx, p, append(flags, "-ldflags", "-s -w")...)
}
