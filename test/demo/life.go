package main

import (
	"context"
	"strings"

	"github.com/postern-auth/postern/test/harness"
)

// life is that of a key in the database: every command counts at once.
var life = []step{
	{
		title:   "A key out of the database, issued a moment ago",
		request: after("new", "apps create globex --owner partners --scopes orders:read", "keys issue globex --name ci --access read-only --ttl 90d"),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/globex", "X-Auth-Scopes: orders:read"},
	},
	{
		title:   "Its successor works",
		request: after("next", "keys rotate globex/ci --name ci-2 --overlap 1h"),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/globex"},
	},
	{
		title:   "The old key works as long as the two overlap",
		request: after("new"),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/globex"},
	},
	{
		title:   "The App is disabled, and so is each of its keys",
		request: after("next", "apps disable globex"),
		status:  401, code: "unauthenticated",
	},
	{
		title:   "It is enabled again, and the successor revoked",
		request: after("next", "apps enable globex", "keys revoke globex/ci-2 --reason leaked --yes"),
		status:  401, code: "unauthenticated",
	},
	{
		title:   "The old key has an hour left",
		request: after("new"),
		status:  200, sees: []string{"X-Auth-Subject: app:shop/globex"},
	},
}

// after runs commands as the operator and then sends a request with a key that one of them printed: the name is that
// of the last such key, or of one before.
func after(name string, commands ...string) func(context.Context, *stage) (harness.Request, error) {
	return func(ctx context.Context, s *stage) (harness.Request, error) {
		for _, command := range commands {
			s.ran = append(s.ran, "postern "+command)
			out, err := s.admin.Run(ctx, strings.Fields(command)...)
			if err != nil {
				return harness.Request{}, err
			}
			if strings.HasPrefix(out, "pk_") {
				s.keys[name] = out
			}
		}
		return get("/orders/1", "X-API-Key: "+s.keys[name])(ctx, s)
	}
}
