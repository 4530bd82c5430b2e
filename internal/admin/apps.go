package admin

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"connectrpc.com/connect"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// apps implements AppService.
type apps struct{ *service }

// CreateApp implements AppService.
func (s apps) CreateApp(ctx context.Context, r *adminv1.CreateAppRequest) (*adminv1.CreateAppResponse, error) {
	if err := validApp(r.GetApp()); err != nil {
		return nil, err
	}
	app, name := appFrom(r.GetApp()), callOf(ctx).target
	made, err := once(ctx, s.service, r, func(w *change) (*adminv1.App, sqlstore.KeyName, error) {
		if where, ok := s.declared(app.Namespace, app.Name); ok {
			return nil, name, refused(connect.CodeAlreadyExists,
				"the App %s is declared in %s, and cannot be in the database too; change it there, or choose another name", app.AppName, where)
		}
		stored, err := w.CreateApp(app)
		if err != nil {
			return nil, name, err
		}
		made := appMessage(&stored)
		return made, name, w.record(name, nil, made, "")
	}, currentApp)
	if err != nil {
		return nil, err
	}
	return &adminv1.CreateAppResponse{App: made}, nil
}

// currentApp answers a repeated request.
func currentApp(w *change, name sqlstore.KeyName) (*adminv1.App, error) {
	app, err := w.app(name.AppName())
	return appMessage(&app), err
}

// app returns an App, or says that there is none.
func (w *change) app(name sqlstore.AppName) (sqlstore.App, error) {
	app, err := w.App(name)
	return app, orNoApp(err, name)
}

func orNoApp(err error, name sqlstore.AppName) error {
	if errors.Is(err, sqlstore.ErrNotFound) {
		return refused(connect.CodeNotFound, "there is no App %s in the database", name)
	}
	return err
}

// GetApp implements AppService.
func (s apps) GetApp(ctx context.Context, r *adminv1.GetAppRequest) (*adminv1.GetAppResponse, error) {
	name := sqlstore.AppName{Namespace: r.GetNamespace(), Name: r.GetName()}
	app, err := s.store.App(ctx, name)
	if err != nil {
		return nil, orNoApp(err, name)
	}
	return &adminv1.GetAppResponse{App: appMessage(&app)}, nil
}

// ListApps implements AppService.
func (s apps) ListApps(ctx context.Context, r *adminv1.ListAppsRequest) (*adminv1.ListAppsResponse, error) {
	from, err := after[sqlstore.AppName](r)
	if err != nil {
		return nil, err
	}
	filter := sqlstore.AppFilter{Namespaces: visible(ctx), Labels: r.GetMatchLabels()}
	read, err := s.store.Apps(ctx, filter, from, pageSize(r)+1)
	if err != nil {
		return nil, err
	}
	read, next, err := page(r, read, func(a *sqlstore.App) sqlstore.AppName { return a.AppName })
	answer := &adminv1.ListAppsResponse{NextPageToken: next}
	for i := range read {
		answer.Apps = append(answer.Apps, appMessage(&read[i]))
	}
	return answer, err
}

// visible returns the namespaces to list: the one that was asked for, or all that the caller may see, which nil says of
// all there are.
func visible(ctx context.Context) []string {
	c := callOf(ctx)
	if c.target.Namespace != "" {
		return []string{c.target.Namespace}
	}
	return c.caller.roles.namespaces()
}

// appFields are what an update may change.
var appFields = map[string]func(to, from *adminv1.App){
	"display_name": func(to, from *adminv1.App) { to.DisplayName = from.GetDisplayName() },
	"owner":        func(to, from *adminv1.App) { to.Owner = from.GetOwner() },
	"description":  func(to, from *adminv1.App) { to.Description = from.GetDescription() },
	"disabled":     func(to, from *adminv1.App) { to.Disabled = from.GetDisabled() },
	"scopes":       func(to, from *adminv1.App) { to.Scopes = from.GetScopes() },
	"labels":       func(to, from *adminv1.App) { to.Labels = from.GetLabels() },
	"attributes":   func(to, from *adminv1.App) { to.Attributes = from.GetAttributes() },
}

// UpdateApp implements AppService.
func (s apps) UpdateApp(ctx context.Context, r *adminv1.UpdateAppRequest) (*adminv1.UpdateAppResponse, error) {
	name := callOf(ctx).target
	made, err := once(ctx, s.service, r, func(w *change) (*adminv1.App, sqlstore.KeyName, error) {
		old, err := w.app(name.AppName())
		if err == nil {
			err = matches(r.GetApp().GetEtag(), old.Revision)
		}
		if err != nil {
			return nil, name, err
		}
		before, next := appMessage(&old), appMessage(&old)
		if err := masked(appFields, next, r.GetApp(), r.GetUpdateMask()); err != nil {
			return nil, name, err
		}
		if err := validApp(next); err != nil {
			return nil, name, err
		}
		app := appFrom(next)
		app.Revision = old.Revision
		stored, err := w.UpdateApp(app)
		if err != nil {
			return nil, name, err
		}
		made := appMessage(&stored)
		return made, name, w.record(name, before, made, "")
	}, currentApp)
	if err != nil {
		return nil, err
	}
	return &adminv1.UpdateAppResponse{App: made}, nil
}

// mostForced is how many keys go with their App at most, each with its event on record.
const mostForced = 1000

// DeleteApp implements AppService.
func (s apps) DeleteApp(ctx context.Context, r *adminv1.DeleteAppRequest) (*adminv1.DeleteAppResponse, error) {
	name := callOf(ctx).target
	return once(ctx, s.service, r, func(w *change) (*adminv1.DeleteAppResponse, sqlstore.KeyName, error) {
		old, err := w.app(name.AppName())
		if err == nil {
			err = matches(r.GetEtag(), old.Revision)
		}
		if err == nil {
			err = w.deleteKeysOf(name.AppName(), r.GetForce())
		}
		if err == nil {
			err = w.DeleteApp(name.AppName())
		}
		if err == nil {
			err = w.record(name, appMessage(&old), nil, "")
		}
		return &adminv1.DeleteAppResponse{}, name, err
	}, func(*change, sqlstore.KeyName) (*adminv1.DeleteAppResponse, error) {
		return &adminv1.DeleteAppResponse{}, nil
	})
}

// deleteKeysOf puts on record that the keys of an App go with it.
func (w *change) deleteKeysOf(app sqlstore.AppName, force bool) error {
	filter := sqlstore.KeyFilter{Namespaces: []string{app.Namespace}, App: app.Name}
	list, err := w.Keys(filter, sqlstore.KeyName{}, mostForced+1)
	switch {
	case err != nil:
		return err
	case len(list) > 0 && !force:
		return refused(connect.CodeFailedPrecondition, "the App %s still has keys; delete them first, or set force", app)
	case len(list) > mostForced:
		return refused(connect.CodeFailedPrecondition, "the App %s has more than %d keys, too many to go with it; disable it, which refuses them all, and delete keys first", app, mostForced)
	}
	for i := range list {
		if err := w.record(list[i].KeyName, keyMessage(&list[i], w.Now()), nil, "its App was deleted"); err != nil {
			return err
		}
	}
	return nil
}

// validApp checks what the protos' rules do not say, by the rules for Apps in resources.
func validApp(m *adminv1.App) error {
	app := v1alpha1.App{Spec: v1alpha1.AppSpec{
		DisplayName: m.GetDisplayName(), Owner: m.GetOwner(), Scopes: m.GetScopes(), Attributes: m.GetAttributes(),
	}}
	app.Namespace, app.Name, app.Labels = m.GetNamespace(), m.GetName(), m.GetLabels()
	var list violations
	for _, e := range app.Validate() {
		field := strings.TrimPrefix(strings.TrimPrefix(e.Field, "spec."), "metadata.")
		if field == "displayName" {
			field = "display_name"
		}
		list = append(list, violation{"app." + field, e.Message + "; " + e.Remedy})
	}
	if list == nil {
		return nil
	}
	return list
}

func appFrom(m *adminv1.App) sqlstore.App {
	return sqlstore.App{
		AppName:     sqlstore.AppName{Namespace: m.GetNamespace(), Name: m.GetName()},
		DisplayName: m.GetDisplayName(), Owner: m.GetOwner(), Description: m.GetDescription(), Disabled: m.GetDisabled(),
		Scopes: slices.Clone(m.GetScopes()), Labels: maps.Clone(m.GetLabels()), Attributes: maps.Clone(m.GetAttributes()),
	}
}

func appMessage(a *sqlstore.App) *adminv1.App {
	return &adminv1.App{
		Namespace: a.Namespace, Name: a.Name,
		DisplayName: a.DisplayName, Owner: a.Owner, Description: a.Description, Disabled: a.Disabled,
		Scopes: a.Scopes, Labels: a.Labels, Attributes: a.Attributes,
		CreateTime: timestamp(a.CreatedAt), UpdateTime: timestamp(a.UpdatedAt), Etag: etag(a.Revision),
	}
}
