// Package keystore is what Postern knows of Apps and their credentials, and the contract of the places it is kept in.
//
// A Store answers three questions: whose API key has this digest, which signing keys have this key id, and which does
// this App have. It holds digests of API keys, never their text, so a copy of a store lets nobody in. A Key says
// everything that deciding needs; whether it is good right now is [Key.Check], asked at every use, so that a cached Key
// expires on time.
//
// keystoretest is the law that every Store obeys; declared holds Apps written in resources; cached is a decorator for
// stores that are far away.
package keystore

import (
	"context"
	"errors"
	"time"

	"github.com/postern-auth/postern/internal/authz"
)

// Store finds credentials. It is safe for concurrent use. Returned Keys are shared and must not be changed. What is
// passed in may alias a request: a Store clones what it keeps, or uses after it has returned.
type Store interface {
	// ByDigest returns the API key with the digest, ErrNotFound if there is none. Another error means that the store
	// could not tell.
	ByDigest(ctx context.Context, d Digest) (*Key, error)

	// BySigningID returns every signing key that carries the id, in whatever namespace: the caller selects by App.
	// It returns ErrNotFound if there is none; another error means that the store could not tell.
	BySigningID(ctx context.Context, id string) ([]*Key, error)

	// ByApp returns every signing key of the App. It returns ErrNotFound if there is none; another error means that the
	// store could not tell.
	ByApp(ctx context.Context, namespace, name string) ([]*Key, error)
}

// ErrNotFound says that a store knows no such credential.
var ErrNotFound = errors.New("no such credential")

// App is a consumer.
type App struct {
	Namespace  string
	Name       string
	Labels     map[string]string
	Attributes map[string]string
	Scopes     authz.Scopes // the most that a credential of it can hold
	Disabled   bool
}

// Key is the metadata of one credential.
type Key struct {
	ID        string // "namespace/app/credential"
	App       *App
	Digest    Digest       // of an API key; zero for a signing key
	Signing   *SigningKey  // nil for an API key
	Scopes    authz.Scopes // what the credential asks for and the App has
	NotBefore time.Time    // zero: always
	ExpiresAt time.Time    // zero: never
	Disabled  bool
	Revoked   bool   // for good
	Subject   string // the user that a personal access token stands for; empty: the App itself

	// Principal is who this key proves, made once by NewKey.
	Principal *authz.Principal
}

// SigningKey is what verifies a signature. Exactly one of Secret and PublicKey is set.
type SigningKey struct {
	ID        string       // what a signature's keyid names
	Secret    authz.Secret // raw HMAC key bytes
	PublicKey any          // ed25519.PublicKey, *ecdsa.PublicKey or *rsa.PublicKey
	Algorithm string       // the only algorithm that verifies with it; empty: any that fits the key
}
