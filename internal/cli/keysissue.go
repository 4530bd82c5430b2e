package cli

import (
	"context"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// keyTypes are the kinds of keys by the names that flags have for them.
var keyTypes = map[string]adminv1.KeyType{
	"api-key":     adminv1.KeyType_KEY_TYPE_API_KEY,
	"token":       adminv1.KeyType_KEY_TYPE_PERSONAL_ACCESS_TOKEN,
	"hmac-secret": adminv1.KeyType_KEY_TYPE_HMAC_SECRET,
	"public-key":  adminv1.KeyType_KEY_TYPE_PUBLIC_KEY,
}

// accesses are the presets of scopes by the names that flags have for them.
var accesses = map[string]adminv1.Access{
	"":           adminv1.Access_ACCESS_UNSPECIFIED,
	"read-only":  adminv1.Access_ACCESS_READ_ONLY,
	"read-write": adminv1.Access_ACCESS_READ_WRITE,
}

// issueFlags are what a new key is to be.
type issueFlags struct {
	name, kind, description, subject, prefix, access string
	signingKeyID, algorithm, publicKeyFile           string
	scopes                                           []string
	allScopes                                        bool
	notBefore, expires                               moment
	ttl                                              span
}

func (f *issueFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "name of the key within its App; without it the server makes one up")
	flags.StringVar(&f.kind, "type", "api-key", "api-key, token (a personal access token), hmac-secret or public-key")
	flags.StringVar(&f.description, "description", "", "what it is for")
	flags.StringSliceVar(&f.scopes, "scopes", nil, "what it may do, a part of the App's scopes")
	flags.StringVar(&f.access, "access", "", "instead of --scopes: read-only or read-write, those of the App's scopes that do that")
	flags.BoolVar(&f.allScopes, "all-scopes", false, "instead of --scopes: whatever the App has, now and later")
	flags.Var(&f.notBefore, "not-before", "when it begins to be good, as 2027-01-31T12:00:00Z or 2027-01-31")
	flags.Var(&f.expires, "expires", "when it ends, written likewise")
	flags.Var(&f.ttl, "ttl", "instead of --expires: how long it lasts, as 36h, 14d or 2w")
	flags.StringVar(&f.subject, "subject", "", "of a token: the user it stands for")
	flags.StringVar(&f.prefix, "prefix", "", "what the key begins with; ends in '_'")
	flags.StringVar(&f.signingKeyID, "signing-key-id", "", "of a signing key: what a signature's keyid names; without it the key id")
	flags.StringVar(&f.algorithm, "algorithm", "", "of a signing key: the only algorithm that verifies with it")
	flags.StringVar(&f.publicKeyFile, "public-key-file", "", "of a public key: PEM or JWK")
	_ = cmd.MarkFlagFilename("public-key-file")
	_ = cmd.RegisterFlagCompletionFunc("type", completeNames(keyTypes))
	_ = cmd.RegisterFlagCompletionFunc("access", completeNames(accesses))
	cmd.MarkFlagsMutuallyExclusive("scopes", "access", "all-scopes")
	cmd.MarkFlagsMutuallyExclusive("expires", "ttl")
}

func newKeysIssue() *cobra.Command {
	var f issueFlags
	cmd := &cobra.Command{
		Use:   "issue APP",
		Short: "Make a key for an App",
		Long: `Makes a key for an App of the database. Its text is printed on standard output, this once; the server keeps only what
it needs to recognise it. Without --scopes, --access or --all-scopes the key can do nothing that needs a scope.

An HMAC secret is printed in base64 of its 32 bytes; a client that takes it for text must decode it first, as
` + "`postern sign --encoding Base64`" + ` does.

A token stands for a user: with --type token and --subject. It expires after 30 days unless you say otherwise.`,
		Example: `  postern keys issue acme -n shop --name ci --access read-only --ttl 90d
  postern keys issue acme -n shop --type token --subject alice@example.com --scopes orders:read
  postern keys issue acme -n shop --type hmac-secret --signing-key-id acme-2026 --all-scopes
  key=$(postern keys issue acme -n shop --all-scopes -o json | jq -r .secret)`,
		Args: oneArg("the App's name"),
	}
	f.add(cmd)
	return remote(cmd, func(ctx context.Context, s *session, args []string) error {
		kind, ok := keyTypes[f.kind]
		if !ok {
			return usagef("--type %q: must be api-key, token, hmac-secret or public-key", f.kind)
		}
		access, ok := accesses[f.access]
		if !ok {
			return usagef("--access %q: must be read-only or read-write", f.access)
		}
		public, err := readPublicKey(f.publicKeyFile)
		if err != nil {
			return err
		}
		r, err := s.keys.IssueKey(ctx, &adminv1.IssueKeyRequest{
			Namespace: s.namespace, App: args[0], Name: f.name, Type: kind, Description: f.description,
			Scopes: f.scopes, Access: access, AllScopes: f.allScopes,
			NotBefore: f.notBefore.proto(), ExpireTime: f.expires.proto(), Ttl: f.ttl.proto(),
			Subject: f.subject, Prefix: f.prefix, SigningKeyId: f.signingKeyID, Algorithm: f.algorithm, PublicKey: public,
			RequestId: requestID(),
		})
		if err != nil {
			return err
		}
		return s.showNew(r, r.Key, r.Secret, r.Notice)
	})
}

func newKeysRotate() *cobra.Command {
	var successor, publicKeyFile string
	var overlap, ttl span
	var expires moment
	cmd := &cobra.Command{
		Use:   "rotate APP/KEY",
		Short: "Make a key's successor and let the key end",
		Long: `Makes a new key with the scopes of the old one, and lets the old one end after an overlap, in which callers change
over; it ends by itself. The new key's text is printed on standard output, this once.`,
		Example: `  postern keys rotate acme/ci -n shop
  postern keys rotate acme/ci -n shop --overlap 2h --ttl 90d
  postern keys rotate acme/ci -n shop --overlap 0s    # the old key has leaked`,
		Args: oneArg("APP/KEY"),
	}
	flags := cmd.Flags()
	flags.StringVar(&successor, "name", "", "name of the successor; without it the server makes one up")
	flags.Var(&overlap, "overlap", "how long the old key stays good, at most; 24h if not given")
	flags.Var(&expires, "expires", "when the successor ends; without it and --ttl it lasts as long as the old key was made to")
	flags.Var(&ttl, "ttl", "instead of --expires: how long the successor lasts, as 36h, 14d or 2w")
	flags.StringVar(&publicKeyFile, "public-key-file", "", "the successor's public key, where the old one is one: PEM or JWK")
	_ = cmd.MarkFlagFilename("public-key-file")
	cmd.MarkFlagsMutuallyExclusive("expires", "ttl")
	return remote(cmd, func(ctx context.Context, s *session, args []string) error {
		app, key, err := ref(args[0])
		if err != nil {
			return err
		}
		public, err := readPublicKey(publicKeyFile)
		if err != nil {
			return err
		}
		r, err := s.keys.RotateKey(ctx, &adminv1.RotateKeyRequest{
			Namespace: s.namespace, App: app, Name: key, Successor: successor, Overlap: overlap.proto(),
			ExpireTime: expires.proto(), Ttl: ttl.proto(), PublicKey: public, RequestId: requestID(),
		})
		if err != nil {
			return err
		}
		s.note("%s/%s ends at %s.", app, key, cell(r.Predecessor.GetExpireTime()))
		return s.showNew(r, r.Key, r.Secret, r.Notice)
	})
}
