package cli

import (
	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/config"
)

// configFlags say where the resources are, for commands that read a directory of them as the server does.
type configFlags struct{ file, dir string }

func (f *configFlags) add(cmd *cobra.Command) {
	addConfigFlag(cmd, &f.file)
	cmd.Flags().StringVar(&f.dir, "resources", "", "directory of resources; overrides resources.dir")
	_ = cmd.MarkFlagDirname("resources")
}

// read returns the configuration with its values validated, as far as that can be done away from the server.
func (f *configFlags) read() (*config.Config, error) {
	cfg, err := readConfig(f.file)
	if err != nil {
		return nil, err
	}
	if f.dir != "" {
		cfg.Resources.Dir, cfg.Resources.Kubernetes = f.dir, nil
		cfg.FromFlag("resources.dir", "--resources")
	}
	if cfg.Resources.Kubernetes != nil {
		return nil, usagef("%s: resources are in a cluster; name a directory of manifests to read instead", f.file)
	}
	if err := cfg.ValidateValues(); err != nil {
		return nil, &usageError{err}
	}
	return cfg, nil
}

// addConfigFlag adds -c.
func addConfigFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "", "postern.yaml; without it the defaults and the flags count")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// readConfig loads the file, or the defaults when none is named. It does not validate: flags come on top.
func readConfig(file string) (*config.Config, error) {
	if file == "" {
		return config.Default(), nil
	}
	cfg, err := config.Load(file)
	if err != nil {
		return nil, &usageError{err}
	}
	return cfg, nil
}
