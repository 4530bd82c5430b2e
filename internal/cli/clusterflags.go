package cli

import (
	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/config"
)

// clusterFlags say where the cluster is, for commands that may read one instead of a directory.
type clusterFlags struct {
	kubernetes bool
	kubeconfig string
}

func (f *clusterFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.kubernetes, "kubernetes", false, "read the cluster that kubectl uses, or this Pod's")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "file that says where the cluster to read is")
	_ = cmd.MarkFlagFilename("kubeconfig")
}

// named reports whether a flag names one.
func (f *clusterFlags) named() bool { return f.kubernetes || f.kubeconfig != "" }

// read returns the configuration with the cluster.
func (f *clusterFlags) read(flags *configFlags) (*config.Config, error) {
	if flags.dir != "" {
		return nil, usagef("--resources names a directory, and --coverage, --route, --kubernetes and --kubeconfig are of a cluster")
	}
	cfg, err := readConfig(flags.file)
	if err != nil {
		return nil, err
	}
	k := cfg.Resources.Kubernetes
	if k == nil && !f.named() {
		return nil, usagef("--coverage and --route need a cluster: give --kubernetes or --kubeconfig, or a configuration with resources.kubernetes")
	}
	if k == nil {
		k = &config.Kubernetes{}
		cfg.Resources.Kubernetes = k
		cfg.FromFlag("resources.kubernetes", "--kubernetes")
	}
	if f.kubeconfig != "" {
		k.Kubeconfig = f.kubeconfig
		cfg.FromFlag("resources.kubernetes.kubeconfig", "--kubeconfig")
	}
	if err := cfg.ValidateValues(); err != nil {
		return nil, &usageError{err}
	}
	return cfg, nil
}
