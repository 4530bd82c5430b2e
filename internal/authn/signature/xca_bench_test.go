package signature

import (
	"bytes"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// BenchmarkXCa is Extract and Verify of a request, and of one with a body of 1 KiB: bound by Content-MD5, or a form of
// 16 parameters.
func BenchmarkXCa(b *testing.B) {
	none, json, form := xCaOrder(), xCaOrder(), xCaForm()
	none.Method, none.Body = "GET", nil
	json.Body = bytes.Repeat([]byte("x"), 1<<10)
	form.Body = nil
	for i := range 16 {
		form.Body = append(append(form.Body, byte('a'+i), '='), bytes.Repeat([]byte("x"), 61)...)
		form.Body = append(form.Body, '&')
	}
	for _, c := range []struct {
		name string
		q    SignRequest
	}{{"none", none}, {"json", json}, {"form", form}} {
		r := signed(b, c.q)
		b.Run(c.name, func(b *testing.B) {
			s := newXCaScheme(b, xCaKeys(), func(_ *v1alpha1.SignatureScheme, o *Options) { o.Replay = always{} })
			b.ReportAllocs()
			for b.Loop() {
				if _, err := check(s, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkXCaTooMuch is the dearest form that is refused before anyone is known.
func BenchmarkXCaTooMuch(b *testing.B) {
	s := newXCaScheme(b, xCaKeys(), nil)
	r := signed(b, xCaForm())
	for i := range maxParameters - 4 {
		r.Query += "&" + string([]byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/676)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := check(s, r); authz.ReasonOf(err) != authz.ReasonBadSignature {
			b.Fatal(err)
		}
	}
}
