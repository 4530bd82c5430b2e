package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/keystore"
)

func newKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make keys and keep those of the database",
		Long: `Keys belong to Apps. generate makes one to write into a declared App; all other commands work on the Apps of a
database, through the admin API of a server. A key is named APP/KEY.`,
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeysGenerate(), newKeysIssue(), newKeysList(), newKeysShow(), newKeysSet(), newKeysRotate(),
		newKeysSwitch("disable", true), newKeysSwitch("enable", false), newKeysRevoke(), newKeysDelete(), newKeysImport())
	return cmd
}

// generatedKey is what -o json prints.
type generatedKey struct {
	Key    string `json:"key"`
	Digest string `json:"digest"`
}

func newKeysGenerate() *cobra.Command {
	var prefix, pepperFile, pepper string
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make an API key and its digest",
		Long: `Makes a key of 256 random bits with a checksum, and the digest to write into an App. The key is shown once, on
standard output, and kept nowhere: hand it to the caller and keep the digest.

With a pepper file (lines of <id>:<base64>) the digest is an HMAC under the named pepper, so that the digests alone say
nothing even about weak imported keys.`,
		Example: `  postern keys generate
  postern keys generate --pepper-file peppers --pepper 2026-q4 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := formatOf(cmd)
			if err != nil {
				return err
			}
			hasher, err := readPeppers(pepperFile)
			if err != nil {
				return err
			}
			key, err := keystore.Mint(prefix)
			if err != nil {
				return usagef("--prefix %q: %w", prefix, err)
			}
			digest, err := hasher.Digest(pepper, key)
			if err != nil {
				return usagef("--pepper: %w", err)
			}
			made := generatedKey{Key: key.Reveal(), Digest: digest.String()}
			if format != asText {
				return format.print(cmd.OutOrStdout(), made)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Give the key to the caller; it is shown this once. Write the digest into the App:\n"+
				"  credentials:\n  - name: NAME\n    apiKey: {digest: %q}\n\n", made.Digest)
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "key     %s\ndigest  %s\n", made.Key, made.Digest)
			return err
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", keystore.DefaultPrefix, "what the key begins with; ends in '_'")
	cmd.Flags().StringVar(&pepperFile, "pepper-file", "", "file of peppers, one <id>:<base64> a line")
	cmd.Flags().StringVar(&pepper, "pepper", "", "id of the pepper to digest with; without it the digest is a plain sha256")
	_ = cmd.MarkFlagFilename("pepper-file")
	return cmd
}

// readPeppers makes the hasher of a pepper file; without a file it knows sha256 only.
func readPeppers(file string) (*keystore.Hasher, error) {
	if file == "" {
		return keystore.NewHasher(), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--pepper-file: %w", err)
	}
	peppers, err := keystore.ParsePeppers(text)
	if err != nil {
		return nil, usagef("--pepper-file %s: %w", file, err)
	}
	return keystore.NewHasher(peppers...), nil
}
