package server

import (
	"context"
	"log/slog"
	"slices"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/kube"
	"github.com/postern-auth/postern/internal/source"
	"github.com/postern-auth/postern/internal/telemetry"
)

// resources is where resources come from: [source.Files] or [kube.Source].
type resources interface {
	// Run delivers snapshots, one after the other, until ctx ends.
	Run(ctx context.Context, deliver func(source.Snapshot)) error
	// Loaded is told what came of a snapshot.
	Loaded(result source.Result)
}

func newResources(cfg *config.Resources, hasher *keystore.Hasher, health *telemetry.Health, log *slog.Logger) (resources, error) {
	k := cfg.Kubernetes
	if k == nil {
		return source.NewFiles(cfg.Dir, log), nil
	}
	namespaces := slices.Clone(k.Namespaces)
	if len(namespaces) > 0 && !slices.Contains(namespaces, cfg.SharedNamespace) {
		namespaces = append(namespaces, cfg.SharedNamespace)
	}
	return kube.New(kube.Options{
		Kubeconfig: k.Kubeconfig, Namespaces: namespaces, GatewayAPI: kube.GatewayAPI(k.GatewayAPI), Hasher: hasher, Log: log,
		Report: func(err error) {
			if err == nil {
				health.OK("kubernetes")
				log.Info("the API server answers again")
				return
			}
			health.Degraded("kubernetes", err.Error())
			log.Warn("the API server cannot be asked; what was in force stays", "error", err)
		},
	})
}

// describe says where resources come from, for the log.
func describe(cfg *config.Resources) string {
	if cfg.Kubernetes != nil {
		return "kubernetes"
	}
	return cfg.Dir
}
