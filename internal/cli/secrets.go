package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/keystore/seal"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
)

func newSecrets() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Keep the keys that secrets are sealed with",
		Long: `HMAC secrets must be read back to verify with them, so a database holds them encrypted. The keys stand in a file beside
the server, keystore.secretsFile. To replace the key:

  1. postern secrets rotate FILE    adds a key that seals from now on; the old ones still unseal
  2. give the file to all replicas; until one has it, it answers 503 where others have used the new key
  3. postern secrets rewrap         seals everything with the new key
  4. remove the old key from the file`,
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSecretsGenerate(), newSecretsRotate(), newSecretsRewrap())
	return cmd
}

func newSecretsGenerate() *cobra.Command {
	return &cobra.Command{
		Use:     "generate FILE",
		Short:   "Make a file with a new key",
		Long:    "Makes a file with one key, a Tink keyset in JSON that nobody but its owner can read. A file that is there stays.",
		Example: "  postern secrets generate secrets.json",
		Args:    oneArg("the file"),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := seal.Generate()
			if err != nil {
				return err
			}
			file, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return usagef("%s is there already; add a key to it with: postern secrets rotate %s", args[0], args[0])
			}
			if err != nil {
				return err
			}
			_, err = file.Write(text)
			return errors.Join(err, file.Sync(), file.Close())
		},
	}
}

func newSecretsRotate() *cobra.Command {
	return &cobra.Command{
		Use:     "rotate FILE",
		Short:   "Add a key to the file",
		Long:    "Adds a key to the file, which seals from now on. What was sealed with the others can still be read.",
		Example: "  postern secrets rotate secrets.json",
		Args:    oneArg("the file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := seal.Open(args[0]); err != nil {
				return err
			}
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			if text, err = seal.Add(text); err != nil {
				return err
			}
			return replaceFile(args[0], text)
		},
	}
}

// replaceFile puts a file in the place of another in one step, so that a crash loses neither. It has the owner, group and
// mode of that one, so whoever could read that one can read this one.
func replaceFile(path string, text []byte) error {
	old, err := os.Stat(path)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".postern-")
	if err != nil {
		return err
	}
	owner := old.Sys().(*syscall.Stat_t) // it is one on every Unix
	_, err = file.Write(text)
	if err = errors.Join(err, file.Chown(int(owner.Uid), int(owner.Gid)), file.Chmod(old.Mode().Perm()), file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

func newSecretsRewrap() *cobra.Command {
	return onDatabase(&cobra.Command{
		Use:   "rewrap",
		Short: "Seal the database's secrets with the newest key",
		Long: `Seals again, with the newest key of keystore.secretsFile, what was sealed with another. It needs the server's
configuration and reaches the database itself. It can be interrupted and begun again, while servers run.`,
		Example: "  postern secrets rewrap -c postern.yaml",
		Args:    noArgs,
	}, func(ctx context.Context, store *sqlstore.Store) (map[string]int, string, error) {
		if err := store.Prepare(ctx); err != nil {
			return nil, "", err
		}
		done, err := store.Rewrap(ctx)
		return map[string]int{"sealedAgain": done}, fmt.Sprintf("%d secrets were sealed again.", done), err
	})
}
