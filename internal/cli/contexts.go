package cli

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// endpoint is an admin API and a caller's part of it, as a context of the file says it. Paths are relative to the file.
type endpoint struct {
	Server    string `json:"server,omitempty"`
	TokenFile string `json:"tokenFile,omitempty"`
	CAFile    string `json:"caFile,omitempty"`
	CertFile  string `json:"certFile,omitempty"`
	KeyFile   string `json:"keyFile,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// contexts is the file of contexts.
type contexts struct {
	Current  string              `json:"current,omitempty"`
	Contexts map[string]endpoint `json:"contexts,omitempty"`

	path string
}

// contextHelp ends the help of commands that call the admin API.
const contextHelp = `

A file of contexts saves the flags: $POSTERN_CONTEXTS, or postern/contexts.yaml in the user's configuration directory
(~/.config on Linux).

  current: production
  contexts:
    production: {server: https://postern.example.com:9002, tokenFile: production.token, namespace: shop}`

// readContexts reads the file. Without one there are no contexts, unless the environment names one.
func readContexts() (*contexts, error) {
	path := os.Getenv("POSTERN_CONTEXTS")
	named := path != ""
	if !named {
		if dir, err := os.UserConfigDir(); err == nil {
			path = filepath.Join(dir, "postern", "contexts.yaml")
		}
	}
	if path == "" {
		return &contexts{}, nil // there is no home, and so no file in it
	}
	text, err := os.ReadFile(path) //nolint:gosec // it is the user's own
	if errors.Is(err, fs.ErrNotExist) && !named {
		return &contexts{path: path}, nil
	}
	if err != nil {
		return nil, usagef("contexts: %w", err)
	}
	file := &contexts{path: path}
	if err := yaml.UnmarshalStrict(text, file); err != nil {
		return nil, usagef("%s: %w", path, err)
	}
	return file, nil
}

// choose returns the context of a name; without a name the current one.
func (f *contexts) choose(name string) (endpoint, error) {
	if name == "" {
		name = f.Current
	}
	if name == "" {
		return endpoint{}, nil
	}
	e, ok := f.Contexts[name]
	if !ok {
		return endpoint{}, usagef("%s has no context %q; it has: %s", f.path, name, strings.Join(f.names(), ", "))
	}
	for _, p := range []*string{&e.TokenFile, &e.CAFile, &e.CertFile, &e.KeyFile} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(filepath.Dir(f.path), *p)
		}
	}
	return e, nil
}

func (f *contexts) names() []string { return slices.Sorted(maps.Keys(f.Contexts)) }

func completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	file, err := readContexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return file.names(), cobra.ShellCompDirectiveNoFileComp
}
