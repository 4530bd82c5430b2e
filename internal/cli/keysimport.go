package cli

import (
	"bufio"
	"context"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// importBatch is how many keys one call may bring (ImportKeysRequest.keys).
const importBatch = 1000

func newKeysImport() *cobra.Command {
	var file string
	var allScopes bool
	var expires moment
	cmd := &cobra.Command{
		Use:   "import APP -f FILE",
		Short: "Take over keys that callers have already, by their digests",
		Long: `Takes over keys from elsewhere, so that no caller needs a new one. Only their digests are needed. Each line of the file
is a name and a digest, and the key's scopes if it is to have any:

  NAME DIGEST [SCOPE,SCOPE,...]

DIGEST is 64 hexadecimal digits of the key's SHA-256, or sha256:<them>, or hmac-sha256:<pepper id>:<64 hex>. Empty lines
and lines that begin with # do not count. Keys go in by the thousand: of one call all or none.

Weak keys, which somebody could guess, are as weak here; rotate them. The scheme needs checksum: Ignored for keys that
this program has not made.`,
		Example: `  printf %s "$OLD_KEY" | sha256sum
  postern keys import acme -n shop -f digests.txt --all-scopes
  postern keys import acme -n shop -f - < digests.txt`,
		Args: oneArg("the App's name"),
	}
	flags := cmd.Flags()
	flags.StringVarP(&file, "file", "f", "", "file of names and digests; - is standard input")
	flags.BoolVar(&allScopes, "all-scopes", false, "keys without scopes in the file get whatever the App has")
	flags.Var(&expires, "expires", "when the keys end, as 2027-01-31T12:00:00Z or 2027-01-31")
	_ = cmd.MarkFlagFilename("file")
	return remote(cmd, func(ctx context.Context, s *session, args []string) error {
		keys, err := readImport(file, s.in)
		if err != nil {
			return err
		}
		for _, k := range keys {
			k.AllScopes = allScopes && len(k.Scopes) == 0
			k.ExpireTime = expires.proto()
		}
		var done []*adminv1.Key
		for batch := range slices.Chunk(keys, importBatch) {
			r, err := s.keys.ImportKeys(ctx, &adminv1.ImportKeysRequest{
				Namespace: s.namespace, App: args[0], Keys: batch, RequestId: requestID(),
			})
			if err != nil {
				s.note("%d of %d keys are in; of %s to %s none is:", len(done), len(keys), batch[0].Name, batch[len(batch)-1].Name)
				return err
			}
			done = append(done, r.Keys...)
			s.note("%d of %d keys", len(done), len(keys))
		}
		if s.format == asText {
			return nil
		}
		return s.print(&adminv1.ImportKeysResponse{Keys: done}, nil)
	})
}

// readImport reads the file of digests. Errors name the line and never its text, which may be a key.
func readImport(file string, in io.Reader) ([]*adminv1.ImportedKey, error) {
	switch file {
	case "":
		return nil, usagef("name the file of digests with -f; - is standard input")
	case "-":
	default:
		opened, err := os.Open(file)
		if err != nil {
			return nil, usagef("--file: %w", err)
		}
		defer func() { _ = opened.Close() }() // it was only read
		in = opened
	}
	var keys []*adminv1.ImportedKey
	lines := bufio.NewScanner(in)
	for number := 1; lines.Scan(); number++ {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 0 || strings.HasPrefix(fields[0], "#"):
			continue
		case len(fields) < 2 || len(fields) > 3:
			return nil, usagef("--file %s: line %d: write NAME DIGEST [SCOPE,SCOPE,...]", file, number)
		}
		k := &adminv1.ImportedKey{Name: fields[0], Digest: fields[1]}
		if len(fields) == 3 {
			k.Scopes = strings.Split(fields[2], ",")
		}
		keys = append(keys, k)
	}
	if err := lines.Err(); err != nil {
		return nil, usagef("--file: %w", err)
	}
	if len(keys) == 0 {
		return nil, usagef("--file %s: holds no key", file)
	}
	return keys, nil
}
