package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/internal/keystore/kube"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// clashes are Apps that are both declared in resources and stored in the database. Resources count, whether anybody has
// noticed or not: see package undeclared. They are looked for in the background, when either side has changed.
type clashes struct {
	db    *sqlstore.Store
	place string // the database, for messages

	declared atomic.Pointer[declaredApps]
	changed  chan struct{} // holds something: look again
	found    atomic.Pointer[[]string]
}

// declaredApps are the documents that declare Apps, in error or not, by "namespace/name".
type declaredApps map[string]*v1alpha1.Document

func newDeclaredApps(docs []v1alpha1.Document) declaredApps {
	apps := make(declaredApps)
	for i := range docs {
		doc := &docs[i]
		isApp := doc.Kind == v1alpha1.KindApp
		if s := doc.Secret; s != nil {
			isApp = kube.IsAPIKey(s.Labels) && s.Labels[kube.LabelApp] == ""
		}
		if isApp && doc.Name != "" {
			apps[doc.Namespace+"/"+doc.Name] = doc
		}
	}
	return apps
}

// declare says which Apps are declared from now on.
func (c *clashes) declare(docs []v1alpha1.Document) {
	now := newDeclaredApps(docs)
	before := c.declared.Swap(&now)
	if before == nil || !maps.EqualFunc(*before, now, func(*v1alpha1.Document, *v1alpha1.Document) bool { return true }) {
		c.look()
	}
}

// declares reports whether an App, "namespace/name", is declared. Nothing is known before the first load: then all are.
func (c *clashes) declares(app string) bool {
	all := c.declared.Load()
	return all == nil || (*all)[app] != nil
}

// where says where an App is declared, if it is.
func (c *clashes) where(namespace, name string) (string, bool) {
	all := c.declared.Load()
	if all == nil {
		return "", false // not known yet; its keys are refused all the same
	}
	doc := (*all)[namespace+"/"+name]
	switch {
	case doc == nil:
		return "", false
	case doc.Origin.File == "":
		return "the cluster, by the " + doc.Object(), true
	default:
		return v1alpha1.Position{File: doc.Origin.File, Line: doc.Origin.Line}.String(), true
	}
}

// note takes notice of changes in the database.
func (c *clashes) note(changes sqlstore.Changes) {
	if changes.All || slices.ContainsFunc(changes.List, func(one sqlstore.Change) bool { return c.declares(one.App.String()) }) {
		c.look()
	}
}

func (c *clashes) look() {
	select {
	case c.changed <- struct{}{}:
	default: // somebody is going to look anyway
	}
}

// watch looks for clashes whenever something has changed, until ctx ends. It logs those that are new, and calls told
// whenever they are others than before.
func (c *clashes) watch(ctx context.Context, log *slog.Logger, told func()) {
	const again = time.Second
	var known []string
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
		}
		found, err := c.find(ctx)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(again):
				c.look()
			}
			continue
		}
		if slices.Equal(found, known) {
			continue
		}
		c.found.Store(&found)
		fresh := c.errorsOf(slices.DeleteFunc(slices.Clone(found), func(name string) bool { return slices.Contains(known, name) }))
		for _, e := range fresh {
			log.Error("resource", "error", e)
		}
		known = found
		told()
	}
}

var errNothingDeclared = errors.New("no resources have been loaded yet")

// find goes through the stored Apps, in order of name.
func (c *clashes) find(ctx context.Context) ([]string, error) {
	const page = 1000
	all := c.declared.Load()
	if all == nil {
		return nil, errNothingDeclared
	}
	var found []string
	if len(*all) == 0 {
		return nil, nil
	}
	for after := (sqlstore.AppName{}); ; {
		apps, err := c.db.Apps(ctx, sqlstore.AppFilter{}, after, page)
		if err != nil {
			return nil, err
		}
		for i := range apps {
			if name := apps[i].String(); (*all)[name] != nil {
				found = append(found, name)
			}
		}
		if len(apps) < page {
			return found, nil
		}
		after = apps[len(apps)-1].AppName
	}
}

// count returns how many clashes there are.
func (c *clashes) count() int { return len(c.names()) }

func (c *clashes) names() []string {
	if found := c.found.Load(); found != nil {
		return *found
	}
	return nil
}

// errors says what clashes and where both stand.
func (c *clashes) errors() v1alpha1.Errors { return c.errorsOf(c.names()) }

func (c *clashes) errorsOf(names []string) v1alpha1.Errors {
	var errs v1alpha1.Errors
	for _, name := range names {
		doc := (*c.declared.Load())[name]
		if doc == nil {
			continue // it is declared no more, and soon to be looked for again
		}
		namespace, app, _ := strings.Cut(name, "/")
		e := doc.Origin.Errorf(doc.Object(), "metadata.name",
			fmt.Sprintf("rename this one, or delete the other with: postern apps delete %s -n %s", app, namespace),
			"an App of this name is in %s too; this one counts, and the keys of the other are refused", c.place)
		e.Reason = v1alpha1.ReasonConflicted
		errs = append(errs, e)
	}
	return errs
}
