package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWarnings says what each scheme gives up, with the line of the field or of the innermost thing around it.
func TestWarnings(t *testing.T) {
	for _, tc := range []struct {
		name, spec string
		want       []string // after "in.yaml:"
	}{
		{"defaults", "profile: rfc9421", nil},
		{"no signature", "", nil},
		{"in error", "profile: rfc9421\n    cover: [wrong thing]\n    replay: Allow", nil},
		{
			"webhook", "profile: github\n    app: hooks\n    body: Unbound", []string{
				"6: spec.signature.profile: clients of profile github do not sign method, host, path, query and the time; " +
					"use the scheme only where a request that differs in that does no harm",
			},
		},
		{
			"host not asked for", "profile: kong", []string{
				"6: spec.signature.profile: clients of profile kong do not sign the host, unless cover names it and clients list it; " +
					"use the scheme only where a request that differs in that does no harm",
			},
		},
		{"host asked for", "profile: kong\n    cover: ['@request-target', date, host]", nil},
		{
			"everything", "profile: cavage\n    algorithms: [ed25519, rsa-sha1]\n    cover: [host]\n    body: Unbound\n" +
				"    replay: Allow\n    explain: true", []string{
				"7: spec.signature.algorithms[1]: rsa-sha1 rests on SHA-1; remove it when the last client has moved to another",
				"8: spec.signature.cover: does not ask for (request-target), date, which profile cavage has by default; " +
					"add what clients can sign, or leave cover out",
				"9: spec.signature.body: the body may be another than the one that was sent; leave it out, or set body: IfPresent",
				"10: spec.signature.replay: a recorded request is accepted again; " +
					"leave it out, unless two proxies on one path both ask about the request",
				"11: spec.signature.explain: a 401 shows the text that was expected to be signed; leave it out in production",
			},
		},
		{"what holds others", "profile: rfc9421\n    cover: ['@method', '@target-uri']", nil},
		{"Kong's other names", "profile: kong\n    cover: [request-line, x-date, host]", nil},
		{"created instead of date", "profile: cavage\n    cover: ['(request-target)', host, '(created)']", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := "{apiKey: {}}"
			if tc.spec != "" {
				spec = "\n  signature:\n    " + tc.spec
			}
			doc := one(t, header+"kind: AuthScheme\nmetadata: {name: signed}\nspec: "+spec+"\n")
			var got []string
			for _, w := range doc.Warnings() {
				text := strings.TrimPrefix(w.Error(), "in.yaml:")
				got = append(got, strings.Replace(text, " AuthScheme default/signed:", "", 1))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff, doc.Err)
			}
		})
	}
}
