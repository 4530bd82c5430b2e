package v1alpha1

import (
	"slices"
	"strings"
)

// nameCharacters are those of an attribute's name and of a pepper's id.
const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// The bounds of one App.
const (
	mostCredentials = 1000
	mostAttributes  = 64
	mostAttribute   = 4 << 10 // bytes of a value; it may become a header
	mostPublicKey   = 8 << 10 // bytes
)

// Validate returns everything that is wrong with the App. It expects defaults to be set.
func (a *App) Validate() Errors {
	c := &checker{kind: KindApp, meta: &a.ObjectMeta}
	const spec = path("spec")
	c.typeMeta(a.TypeMeta)
	c.metadata()
	c.line(spec.dot("displayName"), a.Spec.DisplayName)
	c.line(spec.dot("owner"), a.Spec.Owner)
	c.scopes(spec.dot("scopes"), a.Spec.Scopes)
	c.attributes(spec.dot("attributes"), a.Spec.Attributes)
	c.count(spec.dot("credentials"), len(a.Spec.Credentials), mostCredentials)
	seen := names{}
	for i := range a.Spec.Credentials {
		at := spec.dot("credentials").index(i)
		c.credential(at, &a.Spec.Credentials[i])
		if !slices.Equal(a.Spec.Credentials[i].Scopes, a.Spec.Scopes) { // those by default have been checked
			c.scopes(at.dot("scopes"), a.Spec.Credentials[i].Scopes)
		}
		c.unique(seen, at.dot("name"), a.Spec.Credentials[i].Name, "the credential "+quote(a.Spec.Credentials[i].Name))
	}
	return c.errs
}

// line checks text for people.
func (c *checker) line(at path, text string) {
	if len(text) > 256 || hasControl(text) {
		c.errorf(at, "keep it to one line of 256 bytes", "is too long or holds a control character")
	}
}

// attributes checks what may be put into a header: nothing that could end one and begin another.
func (c *checker) attributes(at path, attributes map[string]string) {
	c.count(at, len(attributes), mostAttributes)
	for name, value := range sorted(attributes) {
		if name == "" || len(name) > 64 || strings.Trim(name, nameCharacters) != "" {
			c.errorf(at.dot(name), "use letters, digits, '-', '_' and '.', 64 at most", "the name is not an attribute's")
		}
		if hasControl(value) {
			c.errorf(at.dot(name), "keep it to one line", "holds a control character")
		}
		c.atMost(at.dot(name), value, mostAttribute)
	}
}

func (c *checker) credential(at path, cred *AppCredential) {
	if !IsDNSLabel(cred.Name) {
		c.errorf(at.dot("name"), labelRemedy, "%s is not a credential's name", quote(cred.Name))
	}
	c.oneOf(at, choice{"apiKey", cred.APIKey != nil}, choice{"signing", cred.Signing != nil})
	if cred.APIKey != nil && !isDigest(cred.APIKey.Digest) {
		// The text is not shown: somebody may have put the key itself here.
		c.errorf(at.dot("apiKey").dot("digest"), "write sha256:<64 hex> or hmac-sha256:<pepper id>:<64 hex>, as `postern keys generate` prints it",
			"is not a digest")
	}
	if cred.Signing != nil {
		c.signing(at.dot("signing"), cred.Signing)
	}
	if cred.NotBefore != nil && cred.ExpiresAt != nil && !cred.NotBefore.Before(cred.ExpiresAt) {
		c.errorf(at.dot("expiresAt"), "let it expire later, or remove the credential", "is not after notBefore")
	}
}

// isDigest reports whether s is an API key's digest: sha256:<64 hex> or hmac-sha256:<pepper id>:<64 hex>.
func isDigest(s string) bool {
	kind, rest, _ := strings.Cut(s, ":")
	if kind == "hmac-sha256" {
		var pepper string
		pepper, rest, _ = strings.Cut(rest, ":")
		if pepper == "" || len(pepper) > 64 || strings.Trim(pepper, nameCharacters) != "" {
			return false
		}
	} else if kind != "sha256" {
		return false
	}
	return len(rest) == 64 && strings.Trim(rest, "0123456789abcdef") == ""
}

func (c *checker) signing(at path, s *SigningCredential) {
	if s.KeyID == "" || len(s.KeyID) > 256 || !isPrintable(s.KeyID) {
		c.errorf(at.dot("keyId"), "use up to 256 printable ASCII characters", "is not a key id")
	}
	c.oneOf(at, choice{"secret", s.Secret != nil}, choice{"secretRef", s.SecretRef != nil}, choice{"publicKey", s.PublicKey != ""})
	if s.Secret != nil {
		c.secret(at.dot("secret"), s.Secret)
	}
	if s.SecretRef != nil {
		c.secretReference(at.dot("secretRef"), s.SecretRef)
	}
	c.atMost(at.dot("publicKey"), s.PublicKey, mostPublicKey)
	if strings.Contains(s.PublicKey, "PRIVATE KEY") {
		c.errorf(at.dot("publicKey"), "put the public key here, and replace the pair: its private key has been written down", "is a private key")
	}
	if s.Algorithm == "" {
		return
	}
	known := everyAlgorithm()
	if !slices.Contains(known, s.Algorithm) {
		c.errorf(at.dot("algorithm"), "use one of "+strings.Join(known, ", "), "%s is not a signature algorithm", quote(s.Algorithm))
	}
	switch isHMAC := strings.HasPrefix(s.Algorithm, "hmac-"); {
	case isHMAC && s.PublicKey != "":
		c.errorf(at.dot("algorithm"), "leave it out, or use a secret", "%s does not verify with a public key", s.Algorithm)
	case !isHMAC && s.PublicKey == "":
		c.errorf(at.dot("algorithm"), "leave it out, or use a public key", "%s does not verify with a secret", quote(s.Algorithm))
	}
}
