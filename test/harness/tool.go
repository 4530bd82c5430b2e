package harness

import (
	"context"
	"io"
)

// Tool is a program that Go builds from a module of its own below test/tools.
type Tool struct {
	built
	version string // whose version names its folder: a module
	flags   []string
}

// The tools.
var (
	HelmUnittest = Tool{
		built:   built{"helm-unittest", "helm", "github.com/helm-unittest/helm-unittest/cmd/helm-unittest"},
		version: "github.com/helm-unittest/helm-unittest",
	}
	HelmDocs = Tool{
		built:   built{"helm-docs", "helm", "github.com/norwoodj/helm-docs/cmd/helm-docs"},
		version: "github.com/helm-unittest/helm-unittest",
	}
	// Promtool checks and tests alerts; the tag leaves out service discovery, which is most of it.
	Promtool = Tool{
		built:   built{"promtool", "prometheus", "github.com/prometheus/prometheus/cmd/promtool"},
		version: "github.com/prometheus/prometheus",
		flags:   []string{"-tags", "remove_all_sd"},
	}
)

// Path builds the tool if it is not cached yet, which is told on progress, and returns its path.
func (t Tool) Path(ctx context.Context, progress io.Writer) (string, error) {
	box, err := newToolbox(t.module, t.version, progress)
	if err != nil {
		return "", err
	}
	return box.path(t.name), box.build(ctx, t.built, t.flags...)
}

// Helm returns the path of the helm that the tests run, and unpacks it if it is not cached yet.
func Helm(ctx context.Context, progress io.Writer) (string, error) {
	tools, err := newKubeTools(progress)
	if err != nil {
		return "", err
	}
	return tools.path("helm"), tools.clients(ctx)
}
