package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

func newAudit() *cobra.Command {
	var everywhere bool
	var caller string
	var since span
	var limit int
	cmd := &cobra.Command{
		Use:   "audit [APP[/KEY]]",
		Short: "Show who changed what",
		Long: `Shows the record of changes to Apps and keys, the latest first. Nothing alters or removes it. With -o json or yaml
each event says how the object was before and after.`,
		Example: `  postern audit acme/ci -n shop
  postern audit --all-namespaces --since 24h --caller deploy-bot -o json`,
		Args: upToOneArg("APP or APP/KEY"),
	}
	flags := cmd.Flags()
	flags.BoolVarP(&everywhere, "all-namespaces", "A", false, "of every namespace that the caller may see")
	flags.StringVar(&caller, "caller", "", "only what this caller did")
	flags.Var(&since, "since", "only of this time up to now, as 36h, 14d or 2w")
	flags.IntVar(&limit, "limit", 100, "how many events; 0 is all")
	return remote(cmd, func(ctx context.Context, s *session, args []string) (err error) {
		begin := startOf(since)
		request := &adminv1.ListAuditEventsRequest{Namespace: s.namespace, Caller: caller, Since: begin.proto(), PageSize: 1000}
		if len(args) == 1 {
			if request.App, request.Key, err = appOrKey(args[0]); err != nil {
				return err
			}
		}
		if everywhere {
			request.Namespace = ""
		}
		if limit > 0 && limit < 1000 {
			request.PageSize = int32(limit)
		}
		events, err := all(limit, pages(func(token string) ([]*adminv1.AuditEvent, string, error) {
			request.PageToken = token
			r, err := s.audit.ListAuditEvents(ctx, request)
			if err != nil {
				return nil, "", err
			}
			return r.Events, r.NextPageToken, nil
		}))
		if err != nil {
			return err
		}
		rows := [][]string{{"TIME", "CALLER", "ROLE", "METHOD", "OBJECT", "CHANGED", "REASON"}}
		for _, e := range events {
			rows = append(rows, []string{
				cell(e.Time), e.Caller, or(e.Role, "-"), e.Method[strings.LastIndexByte(e.Method, '/')+1:],
				strings.Trim(e.Namespace+"/"+e.App+"/"+e.Key, "/"), changed(e.Before, e.After), or(e.Reason, "-"),
			})
		}
		return s.print(&adminv1.ListAuditEventsResponse{Events: events}, rows)
	})
}

// appOrKey splits APP or APP/KEY.
func appOrKey(arg string) (app, key string, err error) {
	if arg != "" && !strings.Contains(arg, "/") {
		return arg, "", nil
	}
	return ref(arg)
}

// changed names the fields that differ between two versions of an object.
func changed(before, after *structpb.Struct) string {
	switch {
	case before == nil && after == nil:
		return "-"
	case before == nil:
		return "(made)"
	case after == nil:
		return "(deleted)"
	}
	var list []string
	for _, name := range names(before.Fields, after.Fields) {
		x, y := before.Fields[name], after.Fields[name]
		if name != "etag" && name != "updateTime" && x.String() != y.String() {
			list = append(list, name)
		}
	}
	return or(strings.Join(list, ","), "-")
}

// names returns the names of fields in either object.
func names(before, after map[string]*structpb.Value) []string {
	list := slices.AppendSeq(slices.Collect(maps.Keys(before)), maps.Keys(after))
	slices.Sort(list)
	return slices.Compact(list)
}
