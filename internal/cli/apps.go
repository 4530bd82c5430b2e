package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

func newApps() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apps",
		Short: "Keep the Apps of the database",
		Long: `Apps are who calls. Beside those that are declared in resources, a server with a database (keystore.database) keeps
Apps that come and go by these commands, through its admin API.`,
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAppsList(), newAppsCreate(), newAppsShow(), newAppsSet(), newAppsSwitch("disable", true), newAppsSwitch("enable", false),
		newAppsDelete(), newAppsUsage())
	return cmd
}

func newAppsList() *cobra.Command {
	var everywhere bool
	var labels map[string]string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List Apps",
		Long:  "Lists the Apps of a namespace.",
		Example: `  postern apps list -n shop
  postern apps list --all-namespaces --label tier=partner -o json`,
		Args: noArgs,
	}
	cmd.Flags().BoolVarP(&everywhere, "all-namespaces", "A", false, "of every namespace that the caller may see")
	cmd.Flags().StringToStringVar(&labels, "label", nil, "only Apps with this label, name=value; may be repeated")
	return remote(cmd, func(ctx context.Context, s *session, _ []string) error {
		if everywhere {
			s.namespace = ""
		}
		apps, err := all(0, pages(func(token string) ([]*adminv1.App, string, error) {
			r, err := s.apps.ListApps(ctx, &adminv1.ListAppsRequest{
				Namespace: s.namespace, MatchLabels: labels, PageSize: 1000, PageToken: token,
			})
			if err != nil {
				return nil, "", err
			}
			return r.Apps, r.NextPageToken, nil
		}))
		if err != nil {
			return err
		}
		rows := [][]string{{"NAMESPACE", "NAME", "OWNER", "DISABLED", "SCOPES", "CREATED"}}
		for _, a := range apps {
			rows = append(rows, []string{
				a.Namespace, a.Name, or(a.Owner, "-"), strconv.FormatBool(a.Disabled), or(strings.Join(a.Scopes, " "), "-"), cell(a.CreateTime),
			})
		}
		return s.print(&adminv1.ListAppsResponse{Apps: apps}, rows)
	})
}

// appFlags are the fields of an App that a command can set.
type appFlags struct {
	displayName, owner, description string
	scopes                          []string
	labels, attributes              map[string]string
}

func (f *appFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.displayName, "display-name", "", "name for people")
	flags.StringVar(&f.owner, "owner", "", "who answers for the App")
	flags.StringVar(&f.description, "description", "", "what it is")
	flags.StringSliceVar(&f.scopes, "scopes", nil, "the most that a key of it can hold")
	flags.StringToStringVar(&f.labels, "labels", nil, "what schemes select Apps by, name=value")
	flags.StringToStringVar(&f.attributes, "attributes", nil, "visible to conditions and identity headers, name=value")
}

// app returns the App with the flags' values.
func (f *appFlags) app(namespace, name string) *adminv1.App {
	return &adminv1.App{
		Namespace: namespace, Name: name, DisplayName: f.displayName, Owner: f.owner, Description: f.description,
		Scopes: f.scopes, Labels: f.labels, Attributes: f.attributes,
	}
}

// mask names the fields that flags were given for.
func mask(cmd *cobra.Command, fields ...string) *fieldmaskpb.FieldMask {
	m := &fieldmaskpb.FieldMask{}
	for _, field := range fields {
		if cmd.Flags().Changed(strings.ReplaceAll(field, "_", "-")) {
			m.Paths = append(m.Paths, field)
		}
	}
	return m
}

func newAppsCreate() *cobra.Command {
	var fields appFlags
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make an App",
		Long:    "Makes an App without keys. Its scopes are the most that any key of it can hold.",
		Example: "  postern apps create acme -n shop --owner partners@example.com --scopes orders:read,orders:write --labels tier=partner",
		Args:    oneArg("the App's name"),
	}
	fields.add(cmd)
	return remote(cmd, func(ctx context.Context, s *session, args []string) error {
		r, err := s.apps.CreateApp(ctx, &adminv1.CreateAppRequest{App: fields.app(s.namespace, args[0]), RequestId: requestID()})
		if err != nil {
			return err
		}
		s.note("Made. Its first key: postern keys issue %s -n %s --all-scopes", args[0], s.namespace)
		return s.showApp(r.App)
	})
}

func newAppsShow() *cobra.Command {
	return remote(&cobra.Command{
		Use:     "show NAME",
		Short:   "Show an App",
		Long:    "Shows all that is known of an App. Its keys: postern keys list APP.",
		Example: "  postern apps show acme -n shop -o yaml",
		Args:    oneArg("the App's name"),
	}, func(ctx context.Context, s *session, args []string) error {
		r, err := s.apps.GetApp(ctx, &adminv1.GetAppRequest{Namespace: s.namespace, Name: args[0]})
		if err != nil {
			return err
		}
		return s.showApp(r.App)
	})
}

func (s *session) showApp(a *adminv1.App) error {
	return s.print(a, [][]string{
		{"Namespace:", a.GetNamespace()},
		{"Name:", a.GetName()},
		{"Display name:", or(a.GetDisplayName(), "-")},
		{"Owner:", or(a.GetOwner(), "-")},
		{"Description:", or(a.GetDescription(), "-")},
		{"Disabled:", strconv.FormatBool(a.GetDisabled())},
		{"Scopes:", or(strings.Join(a.GetScopes(), " "), "-")},
		{"Labels:", pairs(a.GetLabels())},
		{"Attributes:", pairs(a.GetAttributes())},
		{"Created:", cell(a.GetCreateTime())},
		{"Updated:", cell(a.GetUpdateTime())},
	})
}

func pairs(m map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, name+"="+m[name])
	}
	return or(strings.Join(list, " "), "-")
}

func newAppsSet() *cobra.Command {
	var fields appFlags
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change an App",
		Long: `Changes the fields that flags are given for; a flag's value replaces the whole field. A scope that is taken from the
App is taken from its keys too, until the App has it again.`,
		Example: "  postern apps set acme -n shop --scopes orders:read",
		Args:    oneArg("the App's name"),
	}
	fields.add(cmd)
	return remote(cmd, func(ctx context.Context, s *session, args []string) error {
		m := mask(cmd, "display_name", "owner", "description", "scopes", "labels", "attributes")
		if len(m.Paths) == 0 {
			return usagef("say what to change: --scopes, --owner, --labels, …")
		}
		return s.updateApp(ctx, fields.app(s.namespace, args[0]), m)
	})
}

func newAppsSwitch(verb string, disabled bool) *cobra.Command {
	effect := map[bool]string{true: "Every key of a disabled App is refused, at once.", false: "Its keys are good again, as far as each is by itself."}
	return remote(&cobra.Command{
		Use:     verb + " NAME",
		Short:   strings.ToUpper(verb[:1]) + verb[1:] + " an App with all its keys",
		Long:    effect[disabled],
		Example: "  postern apps " + verb + " acme -n shop",
		Args:    oneArg("the App's name"),
	}, func(ctx context.Context, s *session, args []string) error {
		app := &adminv1.App{Namespace: s.namespace, Name: args[0], Disabled: disabled}
		return s.updateApp(ctx, app, &fieldmaskpb.FieldMask{Paths: []string{"disabled"}})
	})
}

func (s *session) updateApp(ctx context.Context, app *adminv1.App, m *fieldmaskpb.FieldMask) error {
	r, err := s.apps.UpdateApp(ctx, &adminv1.UpdateAppRequest{App: app, UpdateMask: m, RequestId: requestID()})
	if err != nil {
		return err
	}
	return s.showApp(r.App)
}

func newAppsDelete() *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete an App",
		Long:    "Deletes an App, with --force its keys too. What is on record about them stays.",
		Example: "  postern apps delete acme -n shop --force --yes",
		Args:    oneArg("the App's name"),
	}
	addYes(cmd, &yes)
	cmd.Flags().BoolVar(&force, "force", false, "delete its keys too")
	return remote(cmd, func(ctx context.Context, s *session, args []string) error {
		if err := s.confirm(yes, "Deleting App %s/%s", s.namespace, args[0]); err != nil {
			return err
		}
		_, err := s.apps.DeleteApp(ctx, &adminv1.DeleteAppRequest{
			Namespace: s.namespace, Name: args[0], Force: force, RequestId: requestID(),
		})
		if err != nil {
			return err
		}
		s.note("App %s/%s is deleted.", s.namespace, args[0])
		return nil
	})
}
