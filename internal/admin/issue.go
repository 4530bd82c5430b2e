package admin

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// IssueKey implements KeyService.
func (s keys) IssueKey(ctx context.Context, r *adminv1.IssueKeyRequest) (*adminv1.IssueKeyResponse, error) {
	name := callOf(ctx).target
	return once(ctx, s.service, r, func(w *change) (*adminv1.IssueKeyResponse, sqlstore.KeyName, error) {
		app, err := s.appOfKeys(w, name.AppName())
		if err != nil {
			return nil, name, err
		}
		k, err := keyFrom(r, &app, w.Now())
		if err != nil {
			return nil, name, err
		}
		made, secret, err := s.make(w, k)
		if err != nil {
			return nil, name, err
		}
		key := keyMessage(&made, w.Now())
		return &adminv1.IssueKeyResponse{Key: key, Secret: secret.Reveal()}, made.KeyName, w.record(made.KeyName, nil, key, "")
	}, func(w *change, name sqlstore.KeyName) (*adminv1.IssueKeyResponse, error) {
		key, err := currentKey(w, name)
		return &adminv1.IssueKeyResponse{Key: key, Notice: notice(key)}, err
	})
}

// notice says how to go on without the secret of a key.
func notice(k *adminv1.Key) string {
	if k.GetType() == adminv1.KeyType_KEY_TYPE_PUBLIC_KEY {
		return ""
	}
	return "This request was answered before, and a secret is shown once. If it was lost, rotate the key to get another."
}

// appOfKeys returns the App that a key is made for. It must not be declared, in the database or not: then only the keys
// that are declared with it are good.
func (s keys) appOfKeys(w *change, name sqlstore.AppName) (sqlstore.App, error) {
	if where, ok := s.declared(name.Namespace, name.Name); ok {
		return sqlstore.App{}, refused(connect.CodeFailedPrecondition, "the App %s is declared in %s; add its keys there", name, where)
	}
	return w.app(name)
}

// keyFrom returns the key that a request asks for, all but its secret.
func keyFrom(r *adminv1.IssueKeyRequest, app *sqlstore.App, now time.Time) (sqlstore.Key, error) {
	k := sqlstore.Key{
		KeyName:     sqlstore.KeyName{Namespace: app.Namespace, App: app.Name, Name: r.GetName()},
		Type:        keyTypes[r.GetType()],
		Description: r.GetDescription(), Subject: r.GetSubject(), Prefix: r.GetPrefix(),
		SigningID: r.GetSigningKeyId(), Algorithm: r.GetAlgorithm(), PublicKey: r.GetPublicKey(),
	}
	if err := fitsType(&k); err != nil {
		return k, err
	}
	var err error
	if k.Scopes, err = (grant{r.GetScopes(), r.GetAccess(), r.GetAllScopes()}).of(app); err != nil {
		return k, err
	}
	if k.NotBefore, err = instant("not_before", r.GetNotBefore()); err != nil {
		return k, err
	}
	var given bool
	if k.ExpiresAt, given, err = ending(r.GetExpireTime(), r.GetTtl(), now); err != nil {
		return k, err
	}
	if !given && k.Type == sqlstore.PersonalAccessToken {
		k.ExpiresAt = now.Add(defaultToken)
	}
	return k, lasts(&k, now)
}

// fitsType refuses fields that a key of the type does not have.
func fitsType(k *sqlstore.Key) error {
	signs := k.Type == sqlstore.HMACSecret || k.Type == sqlstore.PublicKey
	var list violations
	refuse := func(field, value, description string, fits bool) {
		if value != "" && !fits {
			list = append(list, violation{field, description})
		}
	}
	refuse("prefix", k.Prefix, "only API keys and personal access tokens have one", !signs)
	refuse("signing_key_id", k.SigningID, "only signing keys have one", signs)
	refuse("algorithm", k.Algorithm, "only signing keys have one", signs)
	refuse("public_key", k.PublicKey, "give it with the type KEY_TYPE_PUBLIC_KEY only", k.Type == sqlstore.PublicKey)
	refuse("subject", k.Subject, "only personal access tokens have one", k.Type == sqlstore.PersonalAccessToken)
	if k.Type == sqlstore.PersonalAccessToken && k.Subject == "" {
		list = append(list, violation{"subject", "name the user that the token stands for"})
	}
	if k.Type == sqlstore.PublicKey && k.PublicKey == "" {
		list = append(list, violation{"public_key", "give the public key, as PEM or JWK"})
	}
	if list == nil {
		return nil
	}
	return list
}

// make gives a key its name and its secret and stores it. The secret is for the answer, and nothing else.
func (s keys) make(w *change, k sqlstore.Key) (sqlstore.Key, authz.Secret, error) {
	if k.Name == "" {
		k.Name = "k-" + strings.ToLower(rand.Text()[:8]) // of base32
	}
	var shown authz.Secret
	var err error
	switch k.Type {
	case sqlstore.HMACSecret:
		shown, err = fillSecret(&k)
	case sqlstore.PublicKey:
		err = fillPublic(&k)
	case sqlstore.APIKey, sqlstore.PersonalAccessToken:
		shown, err = s.fillMinted(&k)
	}
	if err != nil {
		return k, "", err
	}
	k, err = w.CreateKey(k)
	return k, shown, w.discreet(err)
}

var errNoPepper = errors.New("there is no pepper to keep the digest of the key with; " +
	"set keystore.pepperFile to a file with a line <id>:<base64>, made with: openssl rand -base64 32")

func (s keys) fillMinted(k *sqlstore.Key) (authz.Secret, error) {
	if k.Prefix == "" {
		k.Prefix = keystore.DefaultPrefix
		if k.Type == sqlstore.PersonalAccessToken {
			k.Prefix = "pat_"
		}
	}
	text, err := keystore.Mint(k.Prefix)
	if err != nil {
		return "", invalid("prefix", "%v", err)
	}
	k.Digest = s.hasher.Keep(text)
	if k.Digest.Pepper == "" {
		return "", connect.NewError(connect.CodeFailedPrecondition, errNoPepper)
	}
	k.LastFour = text.Reveal()[len(text)-4:]
	return text, nil
}

// fillSecret makes an HMAC key of 32 random bytes. People get it in base64.
func fillSecret(k *sqlstore.Key) (authz.Secret, error) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // it never fails
	nameSigner(k)
	k.Secret = authz.Secret(random[:])
	if _, err := keystore.NewSecretKey(k.SigningID, k.Secret, k.Algorithm); err != nil {
		return "", invalid("algorithm", "%v", err)
	}
	return authz.Secret(base64.StdEncoding.EncodeToString(random[:])), nil
}

func fillPublic(k *sqlstore.Key) error {
	nameSigner(k)
	if _, err := keystore.ParsePublicKey(k.PublicKey); err != nil {
		return invalid("public_key", "%v", err)
	}
	if _, err := keystore.NewPublicKey(k.SigningID, k.PublicKey, k.Algorithm); err != nil {
		return invalid("algorithm", "%v", err)
	}
	return nil
}

func nameSigner(k *sqlstore.Key) {
	if k.SigningID == "" {
		k.SigningID = k.String()
	}
}

// discreet hides the name of a key that is in the way of a new one from who may not see it.
func (w *change) discreet(err error) error {
	e, ok := errors.AsType[*sqlstore.ExistsError](err)
	if !ok || w.call.caller.roles.in(e.By.Namespace) >= viewer {
		return err
	}
	return refused(connect.CodeAlreadyExists, "the %s is that of another key", e.What)
}
