package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
)

func newMigrate() *cobra.Command {
	return onDatabase(&cobra.Command{
		Use:   "migrate",
		Short: "Bring the database of keys to this version's schema",
		Long: `Brings the schema of keystore.database to the version that this program is made for. The server does that by itself when
it starts; this is for those who want it done before. Servers of the version before go on working.
Several may run at once: one migrates, the others wait.`,
		Example: "  postern migrate -c postern.yaml",
		Args:    noArgs,
	}, func(ctx context.Context, store *sqlstore.Store) (map[string]int, string, error) {
		from, to, err := store.Migrate(ctx)
		said := fmt.Sprintf("The schema was at version %d and is at %d now.", from, to)
		if from == to {
			said = fmt.Sprintf("The schema is at version %d already.", to)
		}
		return map[string]int{"from": from, "to": to}, said, err
	})
}
