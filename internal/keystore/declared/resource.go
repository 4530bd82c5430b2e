package declared

import (
	"errors"
	"time"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// Reader reads what an App refers to.
type Reader struct {
	File   func(path string) ([]byte, error)      // relative to the resource
	Secret func(name, key string) ([]byte, error) // a value of a Secret in the App's namespace
}

// FromResource turns a valid App resource into an App. hasher says which peppers there are; without one, digests with
// any pepper are taken. It returns every error it finds, and the App is of use only if there is none: an App is taken
// whole or not at all.
func FromResource(r *v1alpha1.App, origin v1alpha1.Origin, read Reader, hasher *keystore.Hasher) (App, []*v1alpha1.Error) {
	app := App{
		App: keystore.App{
			Namespace: unique.Make(r.Namespace).Value(), // schemes compare it at every check: its Apps share one text
			Name:      r.Name, Labels: r.Labels, Attributes: r.Spec.Attributes,
			Scopes: authz.NewScopes(r.Spec.Scopes...), Disabled: r.Spec.Disabled,
		},
		Credentials: make([]Credential, 0, len(r.Spec.Credentials)),
		Origin:      origin,
	}
	c := &converter{app: &app, read: read, hasher: hasher}
	for i := range r.Spec.Credentials {
		app.Credentials = append(app.Credentials, c.credential(i, &r.Spec.Credentials[i]))
	}
	return app, c.errs
}

type converter struct {
	app    *App
	read   Reader
	hasher *keystore.Hasher
	errs   []*v1alpha1.Error
}

func (c *converter) errorf(i int, name, remedy, format string, args ...any) {
	c.errs = append(c.errs, c.app.Origin.Errorf(object(&c.app.App), field(i, name), remedy, format, args...))
}

func (c *converter) credential(i int, r *v1alpha1.AppCredential) Credential {
	out := Credential{
		Name: r.Name, Disabled: r.Disabled, Scopes: r.Scopes, NotBefore: timeOf(r.NotBefore), ExpiresAt: timeOf(r.ExpiresAt),
	}
	switch {
	case r.APIKey != nil && r.Signing == nil:
		out.Digest = c.digest(i, r.APIKey.Digest)
	case r.Signing != nil && r.APIKey == nil:
		out.Signing = c.signing(i, r.Signing)
	default:
		c.errorf(i, "", "give it exactly one of apiKey and signing", "it is not clear what the credential is")
	}
	return out
}

func (c *converter) digest(i int, text string) keystore.Digest {
	d, err := keystore.ParseDigest(text)
	switch {
	case err != nil:
		c.errorf(i, "apiKey.digest", "print it with `postern keys generate`", "%v", err)
	case c.hasher != nil && !c.hasher.Has(d.Pepper):
		c.errorf(i, "apiKey.digest", "add it to the pepper file, or make a new digest", "no pepper has the id %q", d.Pepper)
	}
	return d
}

func (c *converter) signing(i int, r *v1alpha1.SigningCredential) *keystore.SigningKey {
	var key *keystore.SigningKey
	var err error
	at := "signing.publicKey"
	switch {
	case r.KeyID == "":
		c.errorf(i, "signing.keyId", "name the key as clients do in keyid", "it is empty")
		return nil
	case r.PublicKey != "" && r.Secret == nil && r.SecretRef == nil:
		key, err = keystore.NewPublicKey(r.KeyID, r.PublicKey, r.Algorithm)
	case r.PublicKey == "" && (r.Secret == nil) != (r.SecretRef == nil):
		var secret authz.Secret
		var ok bool
		if at = "signing.secret"; r.Secret != nil {
			secret, ok = c.secret(i, r.Secret)
		} else {
			at = "signing.secretRef"
			secret, ok = c.secretRef(i, r.SecretRef)
		}
		if !ok {
			return nil
		}
		key, err = keystore.NewSecretKey(r.KeyID, secret, r.Algorithm)
	default:
		c.errorf(i, "signing", "give it exactly one of secret, secretRef and publicKey", "it is not clear what the key is")
		return nil
	}
	if problem, ok := errors.AsType[*keystore.SigningKeyError](err); ok {
		c.errorf(i, at, problem.Remedy, "%s", problem.Message)
	}
	return key
}

// secret reads a secret's file.
func (c *converter) secret(i int, r *v1alpha1.SecretSource) (authz.Secret, bool) {
	text, err := c.read.File(r.File)
	if err != nil {
		c.errorf(i, "signing.secret.file", "check the path, which is relative to this file, and who may read it", "%v", err)
		return "", false
	}
	secret, err := r.Encoding.Decode(text)
	if err != nil {
		c.errorf(i, "signing.secret.encoding", "write standard base64 with its padding, or set encoding: Text",
			"the file %s is not base64", r.File)
		return "", false
	}
	return authz.Secret(secret), true
}

// secretRef reads a value of a Secret.
func (c *converter) secretRef(i int, r *v1alpha1.SecretReference) (authz.Secret, bool) {
	text, err := c.read.Secret(r.Name, r.Key)
	if err != nil {
		remedy := "apply the Secret, or correct name and key"
		if c.app.Origin.File == "" { // it is of a cluster, where Postern does not see others
			remedy = "apply the Secret with the label postern.dev/credential: signing, or correct name and key"
		}
		c.errorf(i, "signing.secretRef", remedy, "%v", err)
		c.errs[len(c.errs)-1].Reason = v1alpha1.ReasonSecretNotFound
		return "", false
	}
	secret, err := r.Encoding.Decode(text)
	if err != nil {
		c.errorf(i, "signing.secretRef.encoding", "store standard base64 with its padding, or set encoding: Text",
			"the value of %s in Secret %s is not base64", r.Key, r.Name)
		return "", false
	}
	return authz.Secret(secret), true
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}
