package jwt

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Options is what a scheme needs besides its specification.
type Options struct {
	Name     string          // "namespace/name" of the AuthScheme; it keeps schemes apart in Tokens
	Origin   v1alpha1.Origin // where the AuthScheme stands, for errors
	KeySets  *KeySets        // nil: remote keys are unavailable and the network is not used
	Tokens   *Tokens         // nil: every token is verified every time
	MaxToken int             // longest token in bytes; 0: DefaultMaxToken

	ReadFile   func(path string) ([]byte, error)      // reads a file that the AuthScheme names; nil: none can be
	ReadSecret func(name, key string) ([]byte, error) // reads a value of a Secret in its namespace; nil: none can be
}

// DefaultMaxToken is the longest token looked at where the options name no other length, in bytes.
const DefaultMaxToken = 8 << 10

// New compiles a specification that has its defaults and is valid. What is wrong with the keys that it holds or names
// is a *[v1alpha1.Error].
//
// Key sets and secrets that are inline, in files or in Secrets are read here, and again by the next New. Remote ones
// begin to be fetched; New does not wait for them.
func New(spec *v1alpha1.JWTScheme, opts Options) (authz.Authenticator, error) {
	s := &Scheme{
		in:       locations(spec),
		types:    map[string]bool{},
		subject:  newClaimPath(spec.Claims.Subject),
		client:   newClaimPath(spec.Claims.Client),
		binding:  spec.CertificateBound,
		identity: identity(opts.Name, spec),
		tokens:   opts.Tokens,
		maxToken: opts.MaxToken,
	}
	if s.maxToken == 0 {
		s.maxToken = DefaultMaxToken
	}
	if spec.Leeway != nil {
		s.leeway = spec.Leeway.Duration
	}
	for _, t := range spec.Types {
		s.types[mediaType(t)] = true
	}
	for _, name := range spec.Claims.Scopes {
		s.scopes = append(s.scopes, newClaimPath(name))
	}
	for _, name := range spec.Require {
		missing := refuse(authz.ReasonClaimRefused, "the token has no claim "+name)
		s.required = append(s.required, requiredClaim{newClaimPath(name), missing})
	}
	for i := range spec.Issuers {
		c := compiler{opts: opts, spec: &spec.Issuers[i], field: fmt.Sprintf("spec.jwt.issuers[%d]", i)}
		from, err := c.issuer()
		if err != nil {
			return nil, err
		}
		s.issuers = append(s.issuers, from)
	}
	return s, nil
}

// compiler makes one issuer.
type compiler struct {
	opts  Options
	spec  *v1alpha1.JWTIssuer
	field string // where spec stands
}

func (c *compiler) errorf(field, remedy, format string, args ...any) error {
	return c.opts.Origin.Errorf("AuthScheme "+c.opts.Name, c.field+field, remedy, format, args...)
}

func (c *compiler) issuer() (issuer, error) {
	if c.spec.Issuer == "" || len(c.spec.Audiences) == 0 {
		return issuer{}, c.errorf("", "name both", "without an issuer and an audience, tokens meant for others would be accepted")
	}
	accepted := map[string]*algorithm{}
	for _, name := range c.spec.Algorithms {
		a := algorithms[name]
		accepted[name] = a
		if a == edDSA {
			accepted["EdDSA"], accepted["Ed25519"] = a, a
		}
	}
	keys, err := c.keys()
	return issuer{name: c.spec.Issuer, audiences: c.spec.Audiences, algorithms: accepted, keys: keys}, err
}

// keys finds where the issuer's keys are.
func (c *compiler) keys() (source, error) {
	switch from := c.spec.JWKS; {
	case c.spec.Shared():
		return c.secret()
	case from == nil:
		return c.opts.KeySets.discover(c.spec.Issuer), nil
	case from.Inline != "":
		return c.document([]byte(from.Inline), ".jwks.inline")
	case from.File != "":
		data, err := c.read(from.File, ".jwks.file")
		if err != nil {
			return nil, err
		}
		return c.document(data, ".jwks.file")
	case from.SecretRef != nil:
		data, err := c.value(from.SecretRef, ".jwks.secretRef")
		if err != nil {
			return nil, err
		}
		return c.document(data, ".jwks.secretRef")
	default:
		return c.opts.KeySets.fetch(from.URI), nil
	}
}

// document reads a key set that an operator wrote. A key that would be passed over in a fetched set is an error here.
func (c *compiler) document(data []byte, field string) (source, error) {
	const remedy = `give a JWK Set of public keys: {"keys": [...]}`
	set, refused, err := parseKeySet(data)
	if err == nil && len(refused) > 0 {
		err = refused[0]
	}
	if err == nil && len(set.keys) == 0 {
		err = errors.New("no key in it can verify a token")
	}
	if err != nil {
		return nil, c.errorf(field, remedy, "%v", err)
	}
	return fixed{set}, nil
}

func (c *compiler) secret() (source, error) {
	data, field, err := c.sharedText()
	if err != nil {
		return nil, err
	}
	if isPublic(data) { // whoever has the public key could sign with it
		return nil, c.errorf(field, "put a public key under jwks, and name the algorithm it is for",
			"the secret is a key or a certificate in PEM or JWK form")
	}
	for _, name := range c.spec.Algorithms {
		if a := algorithms[name]; a != nil && a.family == hmacSHA2 && len(data) < a.hash.Size() { // RFC 7518 section 3.2
			return nil, c.errorf(field, "use at least as many random bytes",
				"the secret has %d bytes and %s needs %d", len(data), name, a.hash.Size())
		}
	}
	return fixed{sharedSecret(data)}, nil
}

// sharedText reads the secret, and returns the field that names it too.
func (c *compiler) sharedText() (data []byte, field string, err error) {
	if c.spec.SecretRef != nil {
		field = ".secretRef"
		data, err = c.value(c.spec.SecretRef, field)
		return data, field, err
	}
	field = ".secret.file"
	if data, err = c.read(c.spec.Secret.File, field); err != nil {
		return nil, field, err
	}
	data, err = c.decode(data, c.spec.Secret.Encoding, field)
	return data, field, err
}

// value reads a value of a Secret.
func (c *compiler) value(ref *v1alpha1.SecretReference, field string) ([]byte, error) {
	if c.opts.ReadSecret == nil {
		return nil, c.errorf(field, "keep it in a file", "Secrets cannot be read here")
	}
	data, err := c.opts.ReadSecret(ref.Name, ref.Key)
	if err != nil {
		return nil, c.errorf(field, "apply the Secret, or correct name and key", "%v", err)
	}
	return c.decode(data, ref.Encoding, field)
}

func (c *compiler) decode(text []byte, encoding v1alpha1.SecretEncoding, field string) ([]byte, error) {
	data, err := encoding.Decode(text)
	if err != nil {
		return nil, c.errorf(field, "write it in standard base64, or set encoding to Text", "%v", err)
	}
	return data, nil
}

// isPublic reports whether a secret is the text of something that is not secret: a PEM block, a JWK or a set of them.
func isPublic(secret []byte) bool {
	if bytes.Contains(secret, []byte("-----BEGIN ")) {
		return true
	}
	object, err := decodeObject(string(secret))
	return err == nil && (object["kty"] != nil || object["keys"] != nil)
}

func (c *compiler) read(path, field string) ([]byte, error) {
	if c.opts.ReadFile == nil {
		return nil, c.errorf(field, "put it into the resource", "files cannot be read here")
	}
	data, err := c.opts.ReadFile(path)
	if err != nil {
		return nil, c.errorf(field, "check the path, which is relative to the resource's file", "%v", err)
	}
	return data, nil
}

// locations returns where the token may stand.
func locations(spec *v1alpha1.JWTScheme) *authz.Locations {
	list := make([]authz.Location, len(spec.In))
	for i, l := range spec.In {
		list[i] = authz.Location(l)
	}
	return authz.NewLocations(list, spec.Forward)
}

// identity stands for the scheme's name and its generation: when anything in the specification changes it is another
// one, and what was remembered for the old one is not found any more.
func identity(name string, spec *v1alpha1.JWTScheme) string {
	text, err := json.Marshal(spec)
	if err != nil {
		panic(err) // strings and durations only
	}
	digest := sha256.Sum256(text)
	return name + "\x00" + string(digest[:])
}
