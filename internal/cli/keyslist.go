package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// keyStates are the states of keys by the names that flags and tables have for them.
var keyStates = map[string]adminv1.KeyState{
	"active":   adminv1.KeyState_KEY_STATE_ACTIVE,
	"pending":  adminv1.KeyState_KEY_STATE_PENDING,
	"disabled": adminv1.KeyState_KEY_STATE_DISABLED,
	"expired":  adminv1.KeyState_KEY_STATE_EXPIRED,
	"revoked":  adminv1.KeyState_KEY_STATE_REVOKED,
}

// nameOf returns the name that stands for a value; "-" if there is none.
func nameOf[T comparable](names map[string]T, value T) string {
	for name, v := range names {
		if v == value {
			return or(name, "-")
		}
	}
	return "-"
}

func completeNames[T any](names map[string]T) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	list := slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(name string) bool { return name == "" })
	return cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)
}

func newKeysList() *cobra.Command {
	var everywhere bool
	var expiring span
	var states []string
	var subject string
	cmd := &cobra.Command{
		Use:   "list [APP]",
		Short: "List keys",
		Long:  "Lists the keys of an App, or of all Apps of a namespace.",
		Example: `  postern keys list acme -n shop
  postern keys list --all-namespaces --expiring 14d
  postern keys list -n shop --state active --subject alice@example.com -o yaml`,
		Args: upToOneArg("the App's name"),
	}
	flags := cmd.Flags()
	flags.BoolVarP(&everywhere, "all-namespaces", "A", false, "of every namespace that the caller may see")
	flags.Var(&expiring, "expiring", "only keys that expire within this time, as 36h, 14d or 2w")
	flags.StringSliceVar(&states, "state", nil, "only keys in one of these states: active, pending, disabled, expired, revoked")
	flags.StringVar(&subject, "subject", "", "only the personal access tokens of this user")
	_ = cmd.RegisterFlagCompletionFunc("state", completeNames(keyStates))
	return remote(cmd, func(ctx context.Context, s *session, args []string) error {
		request := &adminv1.ListKeysRequest{Namespace: s.namespace, PageSize: 1000, ExpiringWithin: expiring.proto(), Subject: subject}
		if len(args) == 1 {
			request.App = args[0]
		}
		if everywhere {
			request.Namespace = ""
		}
		for _, name := range states {
			state, ok := keyStates[name]
			if !ok {
				return usagef("--state %q: must be active, pending, disabled, expired or revoked", name)
			}
			request.States = append(request.States, state)
		}
		keys, err := all(0, pages(func(token string) ([]*adminv1.Key, string, error) {
			request.PageToken = token
			r, err := s.keys.ListKeys(ctx, request)
			if err != nil {
				return nil, "", err
			}
			return r.Keys, r.NextPageToken, nil
		}))
		if err != nil {
			return err
		}
		rows := [][]string{{"NAMESPACE", "APP", "NAME", "TYPE", "STATE", "BEGINS", "SCOPES", "EXPIRES", "LAST USED"}}
		for _, k := range keys {
			rows = append(rows, []string{
				k.Namespace, k.App, k.Name, nameOf(keyTypes, k.Type), nameOf(keyStates, k.State), looks(k), scopesOf(k),
				cell(k.ExpireTime), cell(k.LastUsedTime),
			})
		}
		return s.print(&adminv1.ListKeysResponse{Keys: keys}, rows)
	})
}

// looks is what people recognise a key by.
func looks(k *adminv1.Key) string {
	if k.GetLastFour() == "" {
		return or(k.GetSigningKeyId(), "-")
	}
	return k.GetPrefix() + "…" + k.GetLastFour()
}

func scopesOf(k *adminv1.Key) string {
	if k.GetAllScopes() {
		return "(all of the App)"
	}
	return or(strings.Join(k.GetScopes(), " "), "-")
}

func newKeysShow() *cobra.Command {
	return remote(&cobra.Command{
		Use:     "show APP/KEY",
		Short:   "Show a key's metadata",
		Long:    "Shows all that is known of a key. Its text is not.",
		Example: "  postern keys show acme/ci -n shop -o json",
		Args:    oneArg("APP/KEY"),
	}, func(ctx context.Context, s *session, args []string) error {
		app, key, err := ref(args[0])
		if err != nil {
			return err
		}
		r, err := s.keys.GetKey(ctx, &adminv1.GetKeyRequest{Namespace: s.namespace, App: app, Name: key})
		if err != nil {
			return err
		}
		return s.print(r.Key, keyRows(r.Key))
	})
}

func keyRows(k *adminv1.Key) [][]string {
	rows := [][]string{
		{"Key id:", k.GetNamespace() + "/" + k.GetApp() + "/" + k.GetName()},
		{"Type:", nameOf(keyTypes, k.GetType())},
		{"State:", nameOf(keyStates, k.GetState())},
		{"Begins and ends:", looks(k)},
		{"Scopes:", scopesOf(k)},
		{"Not before:", cell(k.GetNotBefore())},
		{"Expires:", cell(k.GetExpireTime())},
		{"Created:", cell(k.GetCreateTime())},
		{"Last used:", cell(k.GetLastUsedTime())},
	}
	for name, text := range map[string]string{
		"Algorithm:": k.GetAlgorithm(), "Description:": k.GetDescription(), "Subject:": k.GetSubject(), "Successor:": k.GetSuccessor(),
		"Revoked:": revoked(k),
	} {
		if text != "" {
			rows = append(rows, []string{name, text})
		}
	}
	slices.SortStableFunc(rows[fixedRows:], func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return rows
}

const fixedRows = 9

func revoked(k *adminv1.Key) string {
	if k.GetRevokeTime() == nil {
		return ""
	}
	return formatTime(k.GetRevokeTime().AsTime())
}

// showNew prints a new key, and its text apart from what is about it. A notice says that the text is lost, with the answer
// to the first attempt: whoever waits for the text must not take that for success.
func (s *session) showNew(answer proto.Message, k *adminv1.Key, secret, notice string) (err error) {
	if s.format != asText {
		err = s.print(answer, nil)
	} else {
		for _, row := range keyRows(k) {
			s.note("%-17s%s", row[0], plain(row[1]))
		}
		if secret != "" {
			s.note("\nHand this to the caller; it is shown this once:")
			_, err = fmt.Fprintln(s.out, secret)
		}
	}
	if err == nil && notice != "" {
		err = fmt.Errorf("%s/%s is made, but its text is lost: %s", k.GetApp(), k.GetName(), notice)
	}
	return err
}

func readPublicKey(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("--public-key-file: %w", err)
	}
	return string(text), nil
}

// startOf returns the time that lies a span before now, zero if the flag was not set.
func startOf(s span) moment {
	if !s.set {
		return moment{}
	}
	return moment{time.Now().Add(-s.Duration)}
}
