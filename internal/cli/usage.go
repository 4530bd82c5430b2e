package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// usageFlags say which days are looked at.
type usageFlags struct {
	days    int
	byApp   bool
	allApps bool
}

func newUsage() *cobra.Command {
	var f usageFlags
	cmd := &cobra.Command{
		Use:   "usage [APP[/KEY]]",
		Short: "Show how much keys are used",
		Long: `Shows by day (UTC) how many requests were allowed with each key, those of declared Apps too. Replicas write their counts
every few seconds, so the latest are missing; they are kept for 400 days, or for the server's usage.retention.`,
		Example: `  postern usage acme/ci -n shop
  postern usage -n shop --by-app --days 7 -o json`,
		Args: upToOneArg("APP or APP/KEY"),
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.byApp, "by-app", false, "add up the keys of each App")
	return remote(cmd, func(ctx context.Context, s *session, args []string) (err error) {
		request := &adminv1.QueryUsageRequest{Namespace: s.namespace, ByApp: f.byApp}
		if len(args) == 1 {
			if request.App, request.Key, err = appOrKey(args[0]); err != nil {
				return err
			}
		}
		return s.queryUsage(ctx, request, f)
	})
}

func newAppsUsage() *cobra.Command {
	var f usageFlags
	cmd := &cobra.Command{
		Use:     "usage [NAME]",
		Short:   "Show how much Apps are used",
		Long:    "Shows by day (UTC) how many requests were allowed with the keys of each App. By key: postern usage.",
		Example: "  postern apps usage acme -n shop --days 7",
		Args:    upToOneArg("the App's name"),
	}
	f.add(cmd)
	return remote(cmd, func(ctx context.Context, s *session, args []string) error {
		request := &adminv1.QueryUsageRequest{Namespace: s.namespace, ByApp: true}
		if len(args) == 1 {
			request.App = args[0]
		}
		return s.queryUsage(ctx, request, f)
	})
}

func (f *usageFlags) add(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.days, "days", 30, "how many days, today included")
	cmd.Flags().BoolVarP(&f.allApps, "all-namespaces", "A", false, "of every namespace that the caller may see")
}

func (s *session) queryUsage(ctx context.Context, request *adminv1.QueryUsageRequest, f usageFlags) error {
	if f.days < 1 {
		return usagef("--days %d: must be 1 or more", f.days)
	}
	if f.allApps {
		request.Namespace = ""
	}
	request.PageSize = 1000
	request.FirstDay = time.Now().UTC().AddDate(0, 0, 1-f.days).Format(time.DateOnly)
	list, err := all(0, pages(func(token string) ([]*adminv1.Usage, string, error) {
		request.PageToken = token
		r, err := s.usage.QueryUsage(ctx, request)
		if err != nil {
			return nil, "", err
		}
		return r.Usage, r.NextPageToken, nil
	}))
	if err != nil {
		return err
	}
	rows := [][]string{{"DAY", "NAMESPACE", "APP", "KEY", "REQUESTS", "LAST USED"}}
	for _, u := range list {
		rows = append(rows, []string{u.Day, u.Namespace, u.App, or(u.Key, "(all)"), strconv.FormatInt(u.Requests, 10), cell(u.LastUsedTime)})
	}
	return s.print(&adminv1.QueryUsageResponse{Usage: list}, rows)
}
