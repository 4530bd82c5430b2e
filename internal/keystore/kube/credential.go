package kube

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// LabelApp names the App that an API key belongs to. FieldApp is where it stands.
const (
	LabelApp = "postern.dev/app"
	FieldApp = `metadata.labels["` + LabelApp + `"]`
)

// The annotations of an API key.
const (
	annotationScopes    = "postern.dev/scopes"
	annotationNotBefore = "postern.dev/not-before"
	annotationExpiresAt = "postern.dev/expires-at"
	annotationDisabled  = "postern.dev/disabled"
)

// Credential is the API key of a Secret.
type Credential struct {
	Namespace string
	Name      string            // of the Secret
	App       string            // of the same namespace; empty: the Secret is an App by itself
	Labels    map[string]string // of the Secret
	Origin    v1alpha1.Origin   // for messages

	Digest    keystore.Digest
	Disabled  bool
	Scopes    []string // nil: the App's; not of a Secret that is an App by itself
	NotBefore time.Time
	ExpiresAt time.Time
}

// Errorf makes an error about a field of the Secret.
func (c *Credential) Errorf(field, remedy, format string, args ...any) *v1alpha1.Error {
	return c.Origin.Errorf("Secret "+c.Namespace+"/"+c.Name, field, remedy, format, args...)
}

// FromSecret reads a Secret that is an API key. It returns every error that it finds, and with any the Credential is of
// use to Revoke only: a Secret is disabled unless it says "false" or nothing. Errors show no value of the Secret, not even
// of an annotation: they become Events, which more people may read than Secrets.
func FromSecret(s *v1alpha1.Secret, origin v1alpha1.Origin, hasher *keystore.Hasher) (Credential, v1alpha1.Errors) {
	r := &reader{annotations: s.Annotations, out: Credential{
		Namespace: s.Namespace, Name: s.Name, App: s.Labels[LabelApp], Labels: s.Labels, Origin: origin,
	}}
	r.digest(s, hasher)
	r.out.Scopes = r.scopes()
	r.out.NotBefore = r.time(annotationNotBefore)
	r.out.ExpiresAt = r.time(annotationExpiresAt)
	r.out.Disabled = r.disabled()
	if !r.out.ExpiresAt.IsZero() && !r.out.NotBefore.Before(r.out.ExpiresAt) {
		r.errorf(annotation(annotationExpiresAt), "let it expire later, or delete the Secret", "is not after %s", annotationNotBefore)
	}
	return r.out, r.errs
}

// Revoke returns the credential less what a later version of the Secret turns off, whatever else is wrong with that
// version. It returns false if nothing is left: the Secret is no API key any more, another one, or another App's. What is
// left is good only while both versions say so, and for what both say.
func (c Credential) Revoke(later *Credential) (Credential, bool) {
	replaced := later.Digest != (keystore.Digest{}) && later.Digest != c.Digest
	if !IsAPIKey(later.Labels) || replaced || later.App != c.App {
		return Credential{}, false
	}
	if c.Scopes == nil {
		c.Scopes = later.Scopes
	} else if later.Scopes != nil {
		c.Scopes = slices.DeleteFunc(slices.Clone(c.Scopes), func(s string) bool { return !slices.Contains(later.Scopes, s) })
	}
	c.Disabled = c.Disabled || later.Disabled
	c.NotBefore, c.ExpiresAt = keystore.Overlap(c.NotBefore, c.ExpiresAt, later.NotBefore, later.ExpiresAt)
	return c, true
}

// reader reads one Secret.
type reader struct {
	annotations map[string]string
	out         Credential
	errs        v1alpha1.Errors
}

func (r *reader) errorf(field, remedy, format string, args ...any) {
	r.errs = append(r.errs, r.out.Errorf(field, remedy, format, args...))
}

func (r *reader) digest(s *v1alpha1.Secret, hasher *keystore.Hasher) {
	data := make(map[string][]byte, 2)
	for _, key := range []string{keyDigest, keyText} {
		if value, ok := s.Value(key); ok {
			data[key] = value
		}
	}
	data = Trim(data, hasher)
	text, hasDigest := data[keyDigest]
	_, hasText := data[keyText]
	const remedy = "store a digest as `postern keys generate` prints it under digest, or the text under key"
	switch {
	case hasDigest && hasText:
		r.errorf("data", "remove key", "digest and key are both there")
	case hasText:
		r.errorf("data.key", remedy, "is empty")
	case !hasDigest:
		r.errorf("data", remedy, "has neither digest nor key")
	case len(text) == 0:
		r.errorf("data.digest", "print one with `postern keys generate`; if this is the key itself, replace it", "is not a digest")
	default:
		r.out.Digest, _ = keystore.ParseDigest(string(text)) // Trim leaves no other
		if !hasher.Has(r.out.Digest.Pepper) {
			r.errorf("data.digest", "add it to the pepper file, or make a new digest", "no pepper has the id %q", r.out.Digest.Pepper)
		}
	}
}

// scopes returns nil if nobody can tell all of them, too: Revoke then takes none away.
func (r *reader) scopes() []string {
	text, ok := r.annotations[annotationScopes]
	if !ok && r.out.App != "" {
		return nil
	}
	scopes, readable := []string{}, true
	for scope := range strings.SplitSeq(text, ",") {
		if scope = strings.TrimSpace(scope); scope == "" {
			continue
		}
		if !v1alpha1.IsScope(scope) {
			r.errorf(annotation(annotationScopes), "separate scopes by commas", "number %d is not a scope", len(scopes)+1)
			readable = false
		}
		scopes = append(scopes, scope)
	}
	if !readable {
		return nil
	}
	return scopes
}

func (r *reader) time(name string) time.Time {
	text, ok := r.annotations[name]
	if !ok {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.errorf(annotation(name), "write it like 2027-01-31T00:00:00Z (RFC 3339)", "is not a time")
	}
	return t
}

func (r *reader) disabled() bool {
	switch text, ok := r.annotations[annotationDisabled]; {
	case !ok || text == "false":
		return false
	case text == "true":
		return true
	default:
		r.errorf(annotation(annotationDisabled), `write "true" or "false"`, "is neither true nor false")
		return true
	}
}

// annotation names an annotation's field.
func annotation(name string) string { return "metadata.annotations[" + strconv.Quote(name) + "]" }
