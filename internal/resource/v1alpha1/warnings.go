package v1alpha1

import (
	"slices"
	"strings"
)

// Warnings says what a document without errors gives up. Nothing is wrong with it, but somebody should have meant it.
func (d *Document) Warnings() Errors {
	if d.Scheme == nil || d.Scheme.Spec.Signature == nil {
		return nil
	}
	w := warner{doc: d}
	w.signature("spec.signature", d.Scheme.Spec.Signature)
	return w.found
}

type warner struct {
	doc   *Document
	found Errors
}

func (w *warner) warnf(at path, remedy, format string, args ...any) {
	w.found = append(w.found, w.doc.Origin.Errorf(w.doc.Object(), string(at), remedy, format, args...))
}

func (w *warner) signature(at path, s *SignatureScheme) {
	if s.Profile.Unsigned() != "" && !slices.Contains(s.Cover, "host") {
		w.warnf(at.dot("profile"), "use the scheme only where a request that differs in that does no harm",
			"clients of profile %s do not sign %s", s.Profile, s.Profile.Unsigned())
	}
	for i, name := range s.Algorithms {
		if slices.Contains(facts[s.Profile].weak, name) {
			w.warnf(at.dot("algorithms").index(i), "remove it when the last client has moved to another", "%s rests on SHA-1", name)
		}
	}
	if left := uncovered(s); len(left) > 0 {
		w.warnf(at.dot("cover"), "add what clients can sign, or leave cover out",
			"does not ask for %s, which profile %s has by default", strings.Join(left, ", "), s.Profile)
	}
	if s.Body == BodyUnbound && !s.Profile.Keyless() { // what those sign is the body
		w.warnf(at.dot("body"), "leave it out, or set body: IfPresent", "the body may be another than the one that was sent")
	}
	if s.Replay == ReplayAllow {
		w.warnf(at.dot("replay"), "leave it out, unless two proxies on one path both ask about the request",
			"a recorded request is accepted again")
	}
	if s.Explain {
		w.warnf(at.dot("explain"), "leave it out in production", "a 401 shows the text that was expected to be signed")
	}
}

// holds are the components that hold others, so that asking for them asks for those.
var holds = map[SignatureProfile]map[string][]string{
	ProfileRFC9421: {
		"@target-uri":     {"@authority", "@path", "@query"},
		"@request-target": {"@path", "@query"},
	},
	ProfileCavage:   {"(created)": {"date"}},
	ProfileKong:     {"request-line": {"@request-target"}, "x-date": {"date"}},
	ProfileAWSSigV4: {"date": {"x-amz-date"}},
}

// uncovered returns what the profile requires to be signed by default, and the scheme does not.
func uncovered(s *SignatureScheme) []string {
	asked := slices.Clone(s.Cover)
	for _, name := range s.Cover {
		asked = append(asked, holds[s.Profile][name]...)
	}
	return slices.DeleteFunc(s.Profile.Cover(), func(name string) bool { return slices.Contains(asked, name) })
}
