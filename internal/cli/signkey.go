package cli

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/authn/signature"
	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/server"
)

// addKey adds the flags that name the key.
func (f *signFlags) addKey(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.keyID, "key-id", "", "id of the key, as requests name it; with --app: which of its keys")
	flags.StringVar(&f.secretFile, "secret-file", "", "file with the HMAC secret; one final newline is dropped")
	flags.StringVar(&f.encoding, "encoding", "Text", "how to read the secret: Text or Base64")
	flags.StringVar(&f.keyFile, "key-file", "", "file with the private key in PEM")
	flags.StringVar(&f.app, "app", "", "App of the resources, as namespace/name, whose signing secret to use")
	_ = cmd.MarkFlagFilename("secret-file")
	_ = cmd.MarkFlagFilename("key-file", "pem")
	complete(cmd, "encoding", func() []string { return []string{"Text", "Base64"} })
}

// setKey finds the one key that the flags or the scheme name.
func (f *signFlags) setKey(s *signing, resources *server.Inspection) error {
	given := slices.DeleteFunc([]string{f.secretFile, f.keyFile, f.app}, func(name string) bool { return name == "" })
	keyless := s.Profile.Keyless() || s.Template != nil && s.Template.KeyID == nil
	switch {
	case len(given) > 1:
		return usagef("--secret-file, --key-file and --app: name one key")
	case f.app != "":
		return f.useApp(s, resources, qualified(f.app, v1alpha1.DefaultNamespace))
	case len(given) == 0 && s.app != "":
		return f.useApp(s, resources, s.app)
	case len(given) == 0:
		return usagef("name one key: --secret-file for HMAC, --key-file for a private key, or --app for an App of the resources")
	case f.keyID == "" && !keyless:
		return usagef("--key-id is required: it tells the server which key to verify with")
	}
	s.KeyID = f.keyID
	var err error
	if f.keyFile != "" {
		s.Key, err = readPrivateKey(f.keyFile)
	} else {
		s.Key, err = readSecret(f.secretFile, f.encoding)
	}
	return err
}

func readPrivateKey(file string) (any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--key-file: %w", err)
	}
	key, err := signature.ParsePrivateKey(text)
	if err != nil {
		return nil, usagef("--key-file %s: %w", file, err)
	}
	return key, nil
}

func readSecret(file, encoding string) (authz.Secret, error) {
	as := v1alpha1.SecretEncoding(encoding)
	if as != v1alpha1.SecretText && as != v1alpha1.SecretBase64 {
		return "", usagef("--encoding %q: must be Text or Base64", encoding)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("--secret-file: %w", err)
	}
	secret, err := as.Decode(text)
	if err != nil {
		return "", usagef("--secret-file %s is not standard base64; leave --encoding out to read it as text", file)
	}
	return authz.Secret(secret), nil
}

// useApp takes the App's secret that --key-id names, or its only one.
func (f *signFlags) useApp(s *signing, resources *server.Inspection, name string) error {
	app := resources.App(name)
	if app == nil {
		return missing(resources, v1alpha1.KindApp, name)
	}
	all := app.Signing()
	var meant, secrets []*keystore.SigningKey
	for _, k := range all {
		if f.keyID == "" || f.keyID == k.ID {
			meant = append(meant, k)
			if k.Secret != "" {
				secrets = append(secrets, k)
			}
		}
	}
	switch {
	case len(all) == 0:
		return usagef("App %s has no signing key; give it a credential with signing", name)
	case len(meant) == 0:
		return usagef("--key-id %s: App %s has no such signing key; it has %s", f.keyID, name, ids(all))
	case len(secrets) == 0:
		return usagef("App %s has the public key of %s, which verifies and cannot sign; "+
			"name the private key with --key-file, and its --key-id in place of --app", name, ids(meant))
	case len(secrets) > 1:
		return usagef("App %s has several signing secrets; choose with --key-id one of %s", name, ids(secrets))
	}
	key := secrets[0]
	s.KeyID, s.Key = key.ID, key.Secret
	if key.Algorithm != "" && f.algorithm == "" {
		s.algorithms = []string{key.Algorithm}
	}
	return nil
}

func ids(keys []*keystore.SigningKey) string {
	var all []string
	for _, k := range keys {
		all = append(all, k.ID)
	}
	return strings.Join(all, ", ")
}
