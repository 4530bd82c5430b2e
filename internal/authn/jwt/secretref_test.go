package jwt

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// login reads the Secret "login".
func login(values map[string]string) Options {
	return Options{Name: "shop/login", ReadSecret: func(name, key string) ([]byte, error) {
		if value, ok := values[key]; ok && name == "login" {
			return []byte(value), nil
		}
		return nil, errors.New("there is no usable Secret shop/" + name)
	}}
}

func TestSecretRef(t *testing.T) {
	k := keys()
	secret := strings.Repeat("s", 32)
	values := login(map[string]string{
		"hmac": secret + "\n", "base64": base64.StdEncoding.EncodeToString([]byte(secret)), "keys.json": set(k.es256.jwk()),
	})
	hs := &signer{id: "any", alg: "HS256", secret: []byte(secret)}
	for _, ref := range []v1alpha1.SecretReference{
		{Name: "login", Key: "hmac", Encoding: v1alpha1.SecretText},
		{Name: "login", Key: "base64", Encoding: v1alpha1.SecretBase64},
	} {
		s := compile(t, spec("", func(s *v1alpha1.JWTScheme) { s.Issuers[0].JWKS, s.Issuers[0].SecretRef = nil, &ref }), values)
		p, err := authenticate(t, s, request(hs.token(hs.header(), claims(nil))))
		wantAccepted(t, p, err)
		_, err = authenticate(t, s, request(k.es256.token(k.es256.header(), claims(nil))))
		wantRefused(t, err, authz.ReasonAlgorithmRefused, "")
	}

	s := compile(t, spec("", func(s *v1alpha1.JWTScheme) {
		s.Issuers[0].JWKS = &v1alpha1.JWKSSource{SecretRef: &v1alpha1.SecretReference{Name: "login", Key: "keys.json"}}
	}), values)
	p, err := authenticate(t, s, request(k.es256.token(k.es256.header(), claims(nil))))
	wantAccepted(t, p, err)
	_, err = authenticate(t, s, request(hs.token(hs.header(), claims(nil))))
	wantRefused(t, err, authz.ReasonAlgorithmRefused, "")
}

func TestSecretRefErrors(t *testing.T) {
	values := login(map[string]string{"short": "short", "keys.json": set(keys().es256.jwk()), "empty": "{}"})
	for name, c := range map[string]struct {
		issuer v1alpha1.JWTIssuer
		opts   Options
		want   string
	}{
		"gone": {
			v1alpha1.JWTIssuer{SecretRef: &v1alpha1.SecretReference{Name: "gone", Key: "short"}}, values,
			"AuthScheme shop/login: spec.jwt.issuers[0].secretRef: there is no usable Secret shop/gone; apply the Secret, or correct name and key",
		},
		"not base64": {
			v1alpha1.JWTIssuer{SecretRef: &v1alpha1.SecretReference{Name: "login", Key: "empty", Encoding: v1alpha1.SecretBase64}}, values,
			"spec.jwt.issuers[0].secretRef: the secret is not base64; write it in standard base64, or set encoding to Text",
		},
		"short": {
			v1alpha1.JWTIssuer{SecretRef: &v1alpha1.SecretReference{Name: "login", Key: "short"}}, values,
			"spec.jwt.issuers[0].secretRef: the secret has 5 bytes and HS256 needs 32; use at least as many random bytes",
		},
		"public keys": {
			v1alpha1.JWTIssuer{SecretRef: &v1alpha1.SecretReference{Name: "login", Key: "keys.json"}}, values,
			"spec.jwt.issuers[0].secretRef: the secret is a key or a certificate in PEM or JWK form; put a public key under jwks",
		},
		"no key set": {
			v1alpha1.JWTIssuer{JWKS: &v1alpha1.JWKSSource{SecretRef: &v1alpha1.SecretReference{Name: "login", Key: "empty"}}}, values,
			`spec.jwt.issuers[0].jwks.secretRef: not a JWK Set: it has no array "keys"; give a JWK Set of public keys`,
		},
		"no Secrets": {
			v1alpha1.JWTIssuer{SecretRef: &v1alpha1.SecretReference{Name: "login", Key: "short"}}, Options{Name: "shop/login"},
			"spec.jwt.issuers[0].secretRef: Secrets cannot be read here; keep it in a file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec("", func(s *v1alpha1.JWTScheme) {
				s.Issuers[0].JWKS, s.Issuers[0].SecretRef = c.issuer.JWKS, c.issuer.SecretRef
				s.Issuers[0].Algorithms = []string{"HS256"}
			})
			if _, err := New(s, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
