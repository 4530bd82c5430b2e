package signature

import (
	"errors"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// TestExplain tells a client what the server expected to be signed, if the scheme says so and the signature is what is
// wrong.
func TestExplain(t *testing.T) {
	explain := func(spec *v1alpha1.SignatureScheme, _ *Options) { spec.Explain = true }
	for name, c := range map[string]struct {
		edit  func(*v1alpha1.SignatureScheme, *Options)
		spoil func(*authz.Request)
		want  string // the beginning of the text; empty: nothing is told
	}{
		"another method": {explain, func(r *authz.Request) { r.Method = "PUT" }, "\"@method\": PUT\n"},
		"unknown key": {explain, func(r *authz.Request) {
			setHeader(r, "signature-input", strings.Replace(header(r, "signature-input"), "test-shared-secret", "nobody", 1))
		}, "\"@method\": POST\n"},
		"no explain": {nil, func(r *authz.Request) { r.Method = "PUT" }, ""},
		"malformed":  {explain, func(r *authz.Request) { setHeader(r, "signature", "x") }, ""},
		"too old":    {explain, func(r *authz.Request) { r.Now = r.Now.Add(24 * 3600e9) }, "\"@method\": POST\n"},
		"no such field": {explain, func(r *authz.Request) {
			setHeader(r, "signature-input", strings.Replace(header(r, "signature-input"), `"@method"`, `"x-gone"`, 1))
		}, ""},
		"store down": {func(s *v1alpha1.SignatureScheme, o *Options) {
			explain(s, o)
			o.Stores = []keystore.Store{down{errors.New("x")}}
		}, nil, ""},
		"another's body": {explain, func(r *authz.Request) { r.Body.Bytes = []byte("x") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := newScheme(t, rfcKeys(t), c.edit), signed(t, order(t))
			if c.spoil != nil {
				c.spoil(r)
			}
			_, err := check(s, r)
			failure, ok := errors.AsType[*authz.Failure](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			got := ""
			if failure.Explanation != nil {
				got = failure.Explanation.Text
			}
			if got == "" != (c.want == "") || !strings.HasPrefix(got, c.want) {
				t.Errorf("told %q, want %q…", got, c.want)
			}
			if strings.Contains(got, sharedSecret(t).Reveal()) {
				t.Error("told the secret")
			}
		})
	}
}
