package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

func newKeysSet() *cobra.Command {
	var description string
	var scopes []string
	var allScopes bool
	var notBefore, expires moment
	cmd := &cobra.Command{
		Use:   "set APP/KEY",
		Short: "Change a key",
		Long:  "Changes the fields that flags are given for.",
		Example: `  postern keys set acme/ci -n shop --expires 2027-03-31
  postern keys set acme/ci -n shop --scopes orders:read`,
		Args: oneArg("APP/KEY"),
	}
	flags := cmd.Flags()
	flags.StringVar(&description, "description", "", "what it is for")
	flags.StringSliceVar(&scopes, "scopes", nil, "what it may do, a part of the App's scopes")
	flags.BoolVar(&allScopes, "all-scopes", false, "whatever the App has, now and later")
	flags.Var(&notBefore, "not-before", "when it begins to be good, as 2027-01-31T12:00:00Z or 2027-01-31")
	flags.Var(&expires, "expires", "when it ends, written likewise")
	cmd.MarkFlagsMutuallyExclusive("scopes", "all-scopes")
	return remote(cmd, func(ctx context.Context, s *session, args []string) error {
		m := mask(cmd, "description", "scopes", "all_scopes", "not_before")
		if cmd.Flags().Changed("expires") {
			m.Paths = append(m.Paths, "expire_time")
		}
		if len(m.Paths) == 0 {
			return usagef("say what to change: --expires, --scopes, --description, …")
		}
		return s.updateKey(ctx, args[0], &adminv1.Key{
			Description: description, Scopes: scopes, AllScopes: allScopes, NotBefore: notBefore.proto(), ExpireTime: expires.proto(),
		}, m)
	})
}

func newKeysSwitch(verb string, disabled bool) *cobra.Command {
	return remote(&cobra.Command{
		Use:     verb + " APP/KEY",
		Short:   strings.ToUpper(verb[:1]) + verb[1:] + " a key",
		Long:    "A disabled key is refused, at once, until it is enabled again. What is to end for good is revoked instead.",
		Example: "  postern keys " + verb + " acme/ci -n shop",
		Args:    oneArg("APP/KEY"),
	}, func(ctx context.Context, s *session, args []string) error {
		return s.updateKey(ctx, args[0], &adminv1.Key{Disabled: disabled}, &fieldmaskpb.FieldMask{Paths: []string{"disabled"}})
	})
}

// updateKey gives the key of the reference the masked fields of change.
func (s *session) updateKey(ctx context.Context, arg string, change *adminv1.Key, m *fieldmaskpb.FieldMask) (err error) {
	change.Namespace = s.namespace
	if change.App, change.Name, err = ref(arg); err != nil {
		return err
	}
	r, err := s.keys.UpdateKey(ctx, &adminv1.UpdateKeyRequest{Key: change, UpdateMask: m, RequestId: requestID()})
	if err != nil {
		return err
	}
	return s.print(r.Key, keyRows(r.Key))
}

func newKeysRevoke() *cobra.Command {
	var yes bool
	var reason string
	cmd := &cobra.Command{
		Use:   "revoke APP/KEY",
		Short: "End a key at once and for good",
		Long: `Ends a key: the replica that takes the order refuses it at once, others within a second. What is known of it stays,
until it is deleted.`,
		Example: "  postern keys revoke acme/ci -n shop --reason 'found in a public repository' --yes",
		Args:    oneArg("APP/KEY"),
	}
	addYes(cmd, &yes)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return remote(cmd, func(ctx context.Context, s *session, args []string) error {
		app, key, err := ref(args[0])
		if err != nil {
			return err
		}
		if err := s.confirm(yes, "Revoking key %s/%s/%s", s.namespace, app, key); err != nil {
			return err
		}
		r, err := s.keys.RevokeKey(ctx, &adminv1.RevokeKeyRequest{
			Namespace: s.namespace, App: app, Name: key, Reason: reason, RequestId: requestID(),
		})
		if err != nil {
			return err
		}
		return s.print(r.Key, keyRows(r.Key))
	})
}

func newKeysDelete() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete APP/KEY",
		Short:   "Delete what is known of a key",
		Long:    "Deletes a key that is revoked or has expired. The record of changes to it stays.",
		Example: "  postern keys delete acme/ci -n shop --yes",
		Args:    oneArg("APP/KEY"),
	}
	addYes(cmd, &yes)
	return remote(cmd, func(ctx context.Context, s *session, args []string) error {
		app, key, err := ref(args[0])
		if err != nil {
			return err
		}
		if err := s.confirm(yes, "Deleting key %s/%s/%s", s.namespace, app, key); err != nil {
			return err
		}
		_, err = s.keys.DeleteKey(ctx, &adminv1.DeleteKeyRequest{Namespace: s.namespace, App: app, Name: key, RequestId: requestID()})
		if err != nil {
			return err
		}
		s.note("Key %s/%s/%s is deleted.", s.namespace, app, key)
		return nil
	})
}
