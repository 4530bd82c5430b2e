package keystore

import (
	"maps"
	"slices"
)

// AppSelector says whose credentials a scheme accepts. The zero AppSelector accepts nobody's.
type AppSelector struct {
	namespaces []string
	labels     map[string]string
}

// NewAppSelector accepts Apps of the namespaces that carry all the labels. Without namespaces it accepts those of own,
// the scheme's namespace.
func NewAppSelector(namespaces []string, labels map[string]string, own string) AppSelector {
	if len(namespaces) == 0 {
		namespaces = []string{own}
	}
	return AppSelector{namespaces: slices.Clone(namespaces), labels: maps.Clone(labels)}
}

// Accepts reports whether the App's credentials count.
func (s *AppSelector) Accepts(app *App) bool {
	if !slices.Contains(s.namespaces, app.Namespace) {
		return false
	}
	for name, want := range s.labels {
		if got, ok := app.Labels[name]; !ok || got != want {
			return false
		}
	}
	return true
}
