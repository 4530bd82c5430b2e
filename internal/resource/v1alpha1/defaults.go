package v1alpha1

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultNamespace is that of an object in a file that names none.
const DefaultNamespace = "default"

// The defaults of the fields that hold a time.
const (
	DefaultLeeway    = 30 * time.Second
	DefaultClockSkew = 60 * time.Second
	DefaultMaxAge    = 5 * time.Minute
)

// DefaultIdentityHeaders returns what tells the upstream who calls, where a policy does not say. The names are reserved
// on every host, whatever its policies say.
func DefaultIdentityHeaders() []IdentityHeader {
	return []IdentityHeader{
		{Name: "X-Auth-Subject", Value: "principal.subject"},
		{Name: "X-Auth-App", Value: "principal.app"},
		{Name: "X-Auth-Key-Id", Value: "principal.keyId"},
		{Name: "X-Auth-Scopes", Value: "principal.scopes"},
		{Name: "X-Auth-Scheme", Value: "principal.scheme"},
	}
}

// SetDefaults fills in what the scheme leaves out.
func (s *AuthScheme) SetDefaults() {
	defaultNamespace(&s.ObjectMeta)
	if k := s.Spec.APIKey; k != nil {
		if len(k.In) == 0 {
			k.In = []Location{{Header: "X-API-Key"}}
		}
		setDefault(&k.Checksum, ChecksumRequired)
		k.Apps.setDefaults(s.Namespace)
	}
	if sig := s.Spec.Signature; sig != nil {
		sig.setDefaults()
		sig.Apps.setDefaults(s.Namespace)
	}
	if s.Spec.JWT != nil {
		s.Spec.JWT.setDefaults()
	}
}

func (a *AppSelector) setDefaults(namespace string) {
	if len(a.Namespaces) == 0 {
		a.Namespaces = []string{namespace}
	}
}

func (s *SignatureScheme) setDefaults() {
	setDefault(&s.Body, BodyIfPresent)
	setDefault(&s.Replay, ReplayReject)
	if s.RFC9421 != nil {
		setDefault(&s.RFC9421.Nonce, NonceOptional)
	}
	if s.Template != nil {
		setDefault(&s.Template.Algorithm, algorithmHMAC)
	}
	profile, known := facts[s.Profile]
	if !known {
		return // what follows is the profile's
	}
	defaultDuration(&s.ClockSkew, profile.clockSkew)
	defaultDuration(&s.MaxAge, profile.maxAge)
	switch {
	case len(s.Algorithms) > 0:
	case s.Template != nil:
		s.Algorithms = []string{s.Template.Algorithm}
	default:
		s.Algorithms = slices.Clone(profile.algorithms)
	}
	if len(s.Cover) == 0 {
		s.Cover = slices.Clone(profile.cover)
	}
}

func (j *JWTScheme) setDefaults() {
	if len(j.In) == 0 {
		j.In = []Location{{Header: "Authorization", Prefix: "Bearer "}}
	}
	for i := range j.Issuers {
		issuer := &j.Issuers[i]
		switch {
		case len(issuer.Algorithms) > 0:
		case issuer.Shared():
			issuer.Algorithms = []string{"HS256"}
		default:
			issuer.Algorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}
		}
		issuer.Secret.setDefaults()
		issuer.SecretRef.setDefaults()
		if issuer.JWKS != nil {
			issuer.JWKS.SecretRef.setDefaults()
		}
	}
	if len(j.Types) == 0 {
		j.Types = []string{"JWT", "at+jwt"}
	}
	defaultDuration(&j.Leeway, DefaultLeeway)
	if !slices.Contains(j.Require, "exp") {
		j.Require = append([]string{"exp"}, j.Require...)
	}
	setDefault(&j.Claims.Subject, "sub")
	setDefault(&j.Claims.Client, "client_id")
	if len(j.Claims.Scopes) == 0 {
		j.Claims.Scopes = []string{"scope", "scp"}
	}
	setDefault(&j.CertificateBound, BindingOff)
}

// SetDefaults fills in what the policy leaves out. Its rules stay as they are: what a rule does not say is the policy's.
func (p *AuthPolicy) SetDefaults() {
	defaultNamespace(&p.ObjectMeta)
	setDefault(&p.Spec.Mode, ModeEnforce)
	for i := range p.Spec.TargetRefs {
		setDefault(&p.Spec.TargetRefs[i].Group, GatewayGroup)
		setDefault(&p.Spec.TargetRefs[i].Namespace, p.Namespace)
	}
	if p.Spec.Identity == nil {
		p.Spec.Identity = &Identity{Headers: DefaultIdentityHeaders()}
	}
}

// SetDefaults fills in what the App leaves out.
func (a *App) SetDefaults() {
	defaultNamespace(&a.ObjectMeta)
	for i := range a.Spec.Credentials {
		c := &a.Spec.Credentials[i]
		if c.Scopes == nil { // an empty list says "none"
			c.Scopes = a.Spec.Scopes // shared: there may be a million credentials
		}
		if c.Signing != nil {
			c.Signing.Secret.setDefaults()
			c.Signing.SecretRef.setDefaults()
		}
	}
}

func (s *SecretSource) setDefaults() {
	if s != nil {
		setDefault(&s.Encoding, SecretText)
	}
}

func (r *SecretReference) setDefaults() {
	if r != nil {
		setDefault(&r.Encoding, SecretText)
	}
}

func defaultNamespace(m *metav1.ObjectMeta) { setDefault(&m.Namespace, DefaultNamespace) }

func setDefault[T ~string](field *T, value T) {
	if *field == "" {
		*field = value
	}
}

func defaultDuration(field **metav1.Duration, value time.Duration) {
	if *field == nil {
		*field = &metav1.Duration{Duration: value}
	}
}
