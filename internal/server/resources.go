package server

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"slices"

	"k8s.io/apimachinery/pkg/types"

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

func newResources(cfg *config.Resources, hasher *keystore.Hasher, tel *telemetry.Telemetry, log *slog.Logger) (resources, error) {
	if cfg.Kubernetes == nil {
		return source.NewFiles(cfg.Dir, log), nil
	}
	options := clusterOptions(cfg, hasher, log)
	options.Report = func(err error) {
		if err == nil {
			tel.Health.OK("kubernetes")
			log.Info("the API server answers again")
			return
		}
		tel.Health.Degraded("kubernetes", err.Error())
		log.Warn("the API server cannot be asked; what was in force stays", "error", err)
	}
	cluster, err := kube.New(options)
	if err != nil {
		return nil, err
	}
	tel.RegisterStatuses(func() telemetry.StatusStats {
		n := cluster.Stats()
		return telemetry.StatusStats{Leader: n.Leading, Written: n.Written, Conflicts: n.Conflicts, Failures: n.Failures}
	})
	return cluster, nil
}

// clusterOptions says which cluster is read, and what of it.
func clusterOptions(cfg *config.Resources, hasher *keystore.Hasher, log *slog.Logger) kube.Options {
	k := cfg.Kubernetes
	namespaces := slices.Clone(k.Namespaces)
	if len(namespaces) > 0 && !slices.Contains(namespaces, cfg.SharedNamespace) {
		namespaces = append(namespaces, cfg.SharedNamespace)
	}
	pod := kube.Pod{ // as the chart hands it down
		Namespace: cmp.Or(os.Getenv("POD_NAMESPACE"), cfg.SharedNamespace), Name: os.Getenv("POD_NAME"), UID: types.UID(os.Getenv("POD_UID")),
	}
	return kube.Options{
		Kubeconfig: k.Kubeconfig, Namespaces: namespaces, GatewayAPI: kube.GatewayAPI(k.GatewayAPI), Pod: pod,
		LeasePrefix: k.LeasePrefix, Hasher: hasher, Log: log,
	}
}

// describe says where resources come from, for the log.
func describe(cfg *config.Resources) string {
	if cfg.Kubernetes != nil {
		return "kubernetes"
	}
	return cfg.Dir
}
