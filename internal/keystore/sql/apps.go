package sqlstore

import (
	"context"
	"maps"
	"slices"
)

// AppFilter says which Apps; its zero value, all.
type AppFilter struct {
	Namespaces []string          // in one of these; nil: in any, empty: in none
	Labels     map[string]string // with all of these
}

const appColumns = `a.namespace, a.name, a.display_name, a.owner, a.description, a.disabled, a.scopes, a.labels, a.attributes,
	a.created_at, a.updated_at, a.revision`

// columns returns where to scan appColumns to.
func (a *App) columns() []any {
	return []any{
		&a.Namespace, &a.Name, &a.DisplayName, &a.Owner, &a.Description, &a.Disabled,
		asJSON(&a.Scopes), asJSON(&a.Labels), asJSON(&a.Attributes),
		(*instant)(&a.CreatedAt), (*instant)(&a.UpdatedAt), &a.Revision,
	}
}

func scanApp(row scanner) (App, error) {
	var a App
	err := row.Scan(a.columns()...)
	return a, err
}

func findApp(ctx context.Context, q querier, name AppName) (App, error) {
	a, err := one(ctx, q, scanApp,
		`SELECT `+appColumns+` FROM apps a WHERE a.namespace = $1 AND a.name = $2`, name.Namespace, name.Name)
	if err == nil && a.AppName != name {
		return App{}, errAnswer
	}
	return a, err
}

func listApps(ctx context.Context, q querier, filter AppFilter, after AppName, limit int) ([]App, error) {
	var c conditions
	in(&c, "a.namespace", filter.Namespaces)
	if after != (AppName{}) {
		c.add("(a.namespace, a.name) > (?, ?)", after.Namespace, after.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(filter.Labels)) {
		c.add("a.labels ->> CAST(? AS TEXT) = ?", name, filter.Labels[name])
	}
	query := `SELECT ` + appColumns + ` FROM apps a` + c.where() + ` ORDER BY a.namespace, a.name` + c.limit(limit)
	return all(ctx, q, scanApp, query, c.args...)
}

// App returns an App, ErrNotFound if there is none.
func (s *Store) App(ctx context.Context, name AppName) (App, error) {
	return read(ctx, s, func(ctx context.Context, q querier) (App, error) { return findApp(ctx, q, name) })
}

// Apps returns at most limit Apps by namespace and name, from the one that follows after; the zero AppName stands for
// the beginning.
func (s *Store) Apps(ctx context.Context, filter AppFilter, after AppName, limit int) ([]App, error) {
	return read(ctx, s, func(ctx context.Context, q querier) ([]App, error) { return listApps(ctx, q, filter, after, limit) })
}

// App returns an App, ErrNotFound if there is none.
func (tx *Tx) App(name AppName) (App, error) { return findApp(tx.ctx, tx.sql, name) }

// CreateApp stores a new App and returns it completed. ErrExists if there is one of this name.
func (tx *Tx) CreateApp(a App) (App, error) {
	if err := a.complete(); err != nil {
		return App{}, err
	}
	a.CreatedAt, a.UpdatedAt, a.Revision = tx.now, tx.now, tx.change(Change{App: a.AppName})
	n, err := exec(tx.ctx, tx.sql, `INSERT INTO apps (namespace, name, display_name, owner, description, disabled, scopes,
			labels, attributes, created_at, updated_at, revision)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`,
		a.Namespace, a.Name, a.DisplayName, a.Owner, a.Description, a.Disabled, asJSON(&a.Scopes),
		asJSON(&a.Labels), asJSON(&a.Attributes), instant(a.CreatedAt), instant(a.UpdatedAt), a.Revision)
	if err == nil && n == 0 {
		err = &ExistsError{What: "app", By: KeyName{Namespace: a.Namespace, App: a.Name}}
	}
	return a, err
}

// UpdateApp stores another version of the App and returns it completed. ErrConflict if the Revision is not that of the
// stored one, ErrNotFound if there is none.
func (tx *Tx) UpdateApp(a App) (App, error) {
	if err := a.complete(); err != nil {
		return App{}, err
	}
	old, err := tx.App(a.AppName)
	if err != nil {
		return App{}, err
	}
	if old.Revision != a.Revision {
		return App{}, ErrConflict
	}
	a.CreatedAt, a.UpdatedAt, a.Revision = old.CreatedAt, tx.now, tx.change(Change{App: a.AppName})
	_, err = exec(tx.ctx, tx.sql, `UPDATE apps SET display_name = $3, owner = $4, description = $5, disabled = $6,
			scopes = $7, labels = $8, attributes = $9, updated_at = $10, revision = $11
		WHERE namespace = $1 AND name = $2`,
		a.Namespace, a.Name, a.DisplayName, a.Owner, a.Description, a.Disabled,
		asJSON(&a.Scopes), asJSON(&a.Labels), asJSON(&a.Attributes), instant(a.UpdatedAt), a.Revision)
	return a, err
}

// DeleteApp deletes an App and all its keys. ErrNotFound if there is none.
func (tx *Tx) DeleteApp(name AppName) error {
	n, err := exec(tx.ctx, tx.sql, `DELETE FROM apps WHERE namespace = $1 AND name = $2`, name.Namespace, name.Name)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	tx.change(Change{App: name})
	return err
}
