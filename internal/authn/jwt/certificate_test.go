package jwt

import (
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// certificate makes a self-signed certificate and returns its DER form. Its PEM form holds a '+'.
func certificate(t *testing.T) []byte {
	t.Helper()
	k := keys().es256.private
	for {
		template := x509.Certificate{SerialNumber: big.NewInt(rand.Int64())}
		der, err := x509.CreateCertificate(nil, &template, &template, k.Public(), k)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(toPEM(der), "+") {
			return der
		}
	}
}

func toPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// asEnvoySends is the certificate as the attributes of a source carry it.
func asEnvoySends(der []byte) string {
	return strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(toPEM(der))
}

func TestCertificateBinding(t *testing.T) {
	es := keys().es256
	mine, other := certificate(t), certificate(t)
	bound := object{"x5t#S256": thumbprint(mine)}

	const off, optional, required = v1alpha1.BindingOff, v1alpha1.BindingOptional, v1alpha1.BindingRequired
	for name, c := range map[string]struct {
		mode  v1alpha1.BindingMode
		cnf   any
		shown string
		want  string // text of the refusal; empty: accepted
	}{
		"off, unbound":               {off, nil, "", ""},
		"off, bound":                 {off, bound, asEnvoySends(mine), "cnf"},
		"off, DPoP":                  {off, object{"jkt": "x"}, "", "cnf"},
		"optional, unbound":          {optional, nil, "", ""},
		"optional, bound":            {optional, bound, asEnvoySends(mine), ""},
		"optional, not shown":        {optional, bound, "", "another certificate"},
		"optional, another":          {optional, bound, asEnvoySends(other), "another certificate"},
		"required, unbound":          {required, nil, asEnvoySends(mine), "not bound"},
		"required, bound":            {required, bound, asEnvoySends(mine), ""},
		"required, another":          {required, bound, asEnvoySends(other), "another certificate"},
		"required, not a PEM":        {required, bound, "x", "another certificate"},
		"required, broken escape":    {required, bound, asEnvoySends(mine) + "%", "another certificate"},
		"required, not a cert":       {required, bound, url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: mine}))), "another certificate"},
		"required, DPoP":             {required, object{"jkt": "x"}, asEnvoySends(mine), "cnf"},
		"required, and DPoP":         {required, object{"x5t#S256": thumbprint(mine), "jkt": "x"}, asEnvoySends(mine), "cnf"},
		"required, empty":            {required, object{}, asEnvoySends(mine), "cnf"},
		"required, no object":        {required, "x", asEnvoySends(mine), "cnf"},
		"required, thumbprint short": {required, object{"x5t#S256": "AAAA"}, asEnvoySends(mine), "cnf"},
		"required, not base64":       {required, object{"x5t#S256": thumbprint(mine) + "="}, asEnvoySends(mine), "cnf"},
		"required, number":           {required, object{"x5t#S256": 5}, asEnvoySends(mine), "cnf"},
		"unknown mode":               {"Sometimes", bound, asEnvoySends(mine), "cnf"},
		"required, raw plus":         {required, bound, url.PathEscape(toPEM(mine)), ""}, // '+' is no space here
	} {
		t.Run(name, func(t *testing.T) {
			tokens := newTokens(t)
			s := compile(t, spec(set(es.jwk()), func(s *v1alpha1.JWTScheme) { s.CertificateBound = c.mode }), Options{Tokens: tokens})
			r := request(es.token(es.header(), claims(object{"cnf": c.cnf})))
			r.Source.Certificate = c.shown
			for range 2 { // the second time from memory
				p, err := authenticate(t, s, r)
				if c.want == "" {
					wantAccepted(t, p, err)
				} else {
					wantRefused(t, err, authz.ReasonBindingRefused, c.want)
				}
				tokens.facts.Wait()
			}
			if c.want == "" && c.cnf != nil { // what was verified for one client is not good for another
				r.Source.Certificate = asEnvoySends(other)
				_, err := authenticate(t, s, r)
				wantRefused(t, err, authz.ReasonBindingRefused, "another certificate")
			}
		})
	}
	t.Run("null", func(t *testing.T) {
		s := compile(t, spec(set(es.jwk())), Options{})
		_, err := authenticate(t, s, request(es.compact(toJSON(es.header()), `{"cnf":null,`+toJSON(claims(nil))[1:])))
		wantRefused(t, err, authz.ReasonBindingRefused, "cnf")
	})
}
