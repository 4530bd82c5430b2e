package v1alpha1

import (
	"reflect"
	"slices"
)

// Newest returns the document with its draft, if it has one, in the place of the object: what the newest version says,
// to be asked for nothing but what it turns off.
func (d *Document) Newest() *Document {
	newest := *d
	switch draft := d.Draft.(type) {
	case *App:
		newest.App = &DeclaredApp{app: draft}
	case *Secret:
		newest.Secret = draft
	}
	return &newest
}

// draft returns the App as what it says of its credentials. A field disabled that cannot be read counts as true: nobody
// writes it to leave something on. A list of scopes that cannot be read whole is nil; that of an App is not nil otherwise.
// It returns nil where nobody can tell which credentials there are, unless all of them are disabled.
func (a *App) draft(errs Errors) Object {
	const disabled, scopes, credentials = "disabled", "scopes", path("spec.credentials")
	at := make(map[path]bool, len(errs))
	for _, e := range errs {
		at[path(e.Field)] = true
	}
	a.Spec.Disabled = a.Spec.Disabled || at[path("spec").dot(disabled)]
	lost := misspelt(errs)
	untold := unclear(path("spec").dot(scopes), errs) || a.Spec.Scopes == nil && lost
	for i := range a.Spec.Credentials {
		c := &a.Spec.Credentials[i]
		c.Disabled = c.Disabled || at[credentials.index(i).dot(disabled)]
		byDefault := (c.Scopes == nil) == (a.Spec.Scopes == nil) && slices.Equal(c.Scopes, a.Spec.Scopes)
		if unclear(credentials.index(i).dot(scopes), errs) || untold && byDefault {
			c.Scopes = nil
		}
	}
	switch {
	case untold:
		a.Spec.Scopes = nil
	case a.Spec.Scopes == nil:
		a.Spec.Scopes = []Scope{}
	}
	unread := at[""] || at["spec"] || a.Spec.Credentials == nil && (at[credentials] || lost)
	if unread && !a.Spec.Disabled {
		return nil
	}
	return a
}

// Recall gives the document's draft the lists of scopes that it does not tell as an earlier draft told them: what that took
// away stays away. Without a draft the earlier one counts whole.
func (d *Document) Recall(earlier Object) {
	if d.Draft == nil {
		d.Draft = earlier
		return
	}
	now, isApp := d.Draft.(*App)
	before, wasApp := earlier.(*App)
	if !isApp || !wasApp {
		return
	}
	if now.Spec.Scopes == nil {
		now.Spec.Scopes = before.Spec.Scopes
	}
	for i := range now.Spec.Credentials {
		c := &now.Spec.Credentials[i]
		at := slices.IndexFunc(before.Spec.Credentials, func(o AppCredential) bool { return o.Name == c.Name })
		if c.Scopes == nil && at >= 0 {
			c.Scopes = before.Spec.Credentials[at].Scopes
		}
	}
}

// unclear reports whether one of the errors is about the field or something in it.
func unclear(field path, errs Errors) bool {
	for _, e := range errs {
		if path(e.Field).within(field) {
			return true
		}
	}
	return false
}

// misspelt reports whether one of the errors is about a field of an App's spec that there is not: it could be any.
func misspelt(errs Errors) bool {
	spec := fieldsOf(reflect.TypeFor[AppSpec]())
	for _, e := range errs {
		if steps := path(e.Field).steps(); len(steps) > 1 && steps[0] == "spec" {
			if _, ok := spec.byName[steps[1]]; !ok {
				return true
			}
		}
	}
	return false
}
