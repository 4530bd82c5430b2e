package admin

import (
	"slices"
	"strings"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// grant is what a request says of a key's scopes.
type grant struct {
	scopes []string
	access adminv1.Access
	all    bool
}

// of returns the scopes as they are stored: nil for all that the App has.
func (g grant) of(app *sqlstore.App) ([]string, error) {
	given := 0
	for _, is := range []bool{len(g.scopes) > 0, g.access != adminv1.Access_ACCESS_UNSPECIFIED, g.all} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return nil, invalid("scopes", "give at most one of scopes, access and all_scopes")
	case g.all:
		return nil, nil
	case g.access != adminv1.Access_ACCESS_UNSPECIFIED:
		return preset(app, g.access)
	}
	var extra []string
	for _, scope := range g.scopes {
		if !slices.Contains(app.Scopes, scope) {
			extra = append(extra, scope)
		}
	}
	if extra != nil {
		return nil, invalid("scopes", "the App %s does not have %s; leave them out, or give them to the App first",
			app.AppName, strings.Join(extra, ", "))
	}
	return append([]string{}, g.scopes...), nil
}

// preset returns the App's scopes that read, or that read and write.
func preset(app *sqlstore.App, access adminv1.Access) ([]string, error) {
	verbs := []string{"read"}
	if access == adminv1.Access_ACCESS_READ_WRITE {
		verbs = append(verbs, "write")
	}
	var chosen []string
	for _, scope := range app.Scopes {
		verb := scope[strings.LastIndexAny(scope, ":./")+1:]
		if slices.Contains(verbs, verb) {
			chosen = append(chosen, scope)
		}
	}
	if chosen == nil {
		return nil, invalid("access", "no scope of the App %s ends in %s; list the key's scopes instead", app.AppName, strings.Join(verbs, " or "))
	}
	return chosen, nil
}

// still returns those of a key's scopes that the App has now.
func still(scopes []string, app *sqlstore.App) []string {
	if scopes == nil {
		return nil
	}
	kept := []string{}
	for _, scope := range scopes {
		if slices.Contains(app.Scopes, scope) {
			kept = append(kept, scope)
		}
	}
	return kept
}
