package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/server"
)

func newServe(build Build) *cobra.Command {
	var file, dir, authzAddress, opsAddress, adminAddress, level string
	var inCluster bool
	var namespaces []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer Envoy's checks",
		Long: `Reads the resources below a directory, answers Envoy's ext_authz checks, and reloads when a file changes. What is
wrong at the start ends the program with exit code 2; what breaks later keeps its last good version and is logged.

With --kubernetes the resources are a cluster's custom resources: in a Pod by its service account, elsewhere by what
kubectl uses. Then nothing that is wrong with an object keeps the others from being served, at the start neither.

SIGTERM and SIGINT drain: not ready at once, then GOAWAY, then up to 15 seconds for checks under way.`,
		Example: `  postern serve --resources ./policies
  postern serve -c postern.yaml
  postern serve --kubernetes --namespaces shop,billing
  postern serve --resources ./policies --extauthz unix:///run/postern/authz.sock --ops 127.0.0.1:9003`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := readConfig(file)
			if err != nil {
				return err
			}
			set := func(flag, field string, apply func()) {
				if cmd.Flags().Changed(flag) {
					apply()
					cfg.FromFlag(field, "--"+flag)
				}
			}
			set("resources", "resources.dir", func() { cfg.Resources.Dir = dir })
			set("kubernetes", "resources.kubernetes", func() {
				if inCluster && cfg.Resources.Kubernetes == nil {
					cfg.Resources.Kubernetes = &config.Kubernetes{}
				}
			})
			if k := cfg.Resources.Kubernetes; k != nil {
				set("namespaces", "resources.kubernetes.namespaces", func() { k.Namespaces = namespaces })
			} else if namespaces != nil {
				return usagef("--namespaces are those of a cluster: give --kubernetes too")
			}
			set("extauthz", "extauthz.address", func() { cfg.ExtAuthz.Address = config.Address(authzAddress) })
			set("ops", "ops.address", func() { cfg.Ops.Address = config.Address(opsAddress) })
			set("admin", "admin.address", func() { cfg.Admin.Address = config.Address(adminAddress) })
			set("log-level", "telemetry.logLevel", func() { cfg.Telemetry.LogLevel = level })
			if err := cfg.Validate(); err != nil {
				return &usageError{err}
			}
			build = build.withDefaults()
			srv, err := server.New(cfg, server.Options{
				Version: build.Version, Commit: build.Commit,
				Log: cmd.ErrOrStderr(), DecisionLog: cmd.OutOrStdout(),
			})
			if err != nil {
				return &usageError{err}
			}
			err = srv.Run(cmd.Context())
			if bad := (v1alpha1.Errors{}); errors.As(err, &bad) {
				return &usageError{bad}
			}
			return err
		},
	}
	addConfigFlag(cmd, &file)
	flags := cmd.Flags()
	flags.StringVar(&dir, "resources", "", "directory of resources; overrides resources.dir")
	flags.BoolVar(&inCluster, "kubernetes", false, "take the resources from a Kubernetes cluster; adds resources.kubernetes")
	flags.StringSliceVar(&namespaces, "namespaces", nil, "namespaces to watch; overrides resources.kubernetes.namespaces")
	flags.StringVar(&authzAddress, "extauthz", "", "address for Envoy, host:port or unix:///path; overrides extauthz.address")
	flags.StringVar(&opsAddress, "ops", "", "address for operators; overrides ops.address")
	flags.StringVar(&adminAddress, "admin", "", "address of the admin API; overrides admin.address")
	flags.StringVar(&level, "log-level", "", "debug, info, warn or error; overrides telemetry.logLevel")
	_ = cmd.MarkFlagDirname("resources")
	return cmd
}
