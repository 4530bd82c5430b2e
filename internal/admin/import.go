package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/keystore"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// ImportKeys implements KeyService.
func (s keys) ImportKeys(ctx context.Context, r *adminv1.ImportKeysRequest) (*adminv1.ImportKeysResponse, error) {
	name := callOf(ctx).target
	return once(ctx, s.service, r, func(w *change) (*adminv1.ImportKeysResponse, sqlstore.KeyName, error) {
		app, err := s.appOfKeys(w, name.AppName())
		if err != nil {
			return nil, name, err
		}
		list := make([]sqlstore.Key, len(r.GetKeys()))
		var wrong violations
		for i, one := range r.GetKeys() {
			var bad violations
			list[i], bad = s.imported(fmt.Sprintf("keys[%d].", i), one, &app, w.Now())
			wrong = append(wrong, bad...)
		}
		if wrong != nil {
			return nil, name, wrong
		}
		made, err := w.CreateKeys(app.AppName, list)
		if err != nil {
			return nil, name, w.discreet(err)
		}
		answer := &adminv1.ImportKeysResponse{}
		for i := range made {
			key := keyMessage(&made[i], w.Now())
			answer.Keys = append(answer.Keys, key)
			if err := w.record(made[i].KeyName, nil, key, ""); err != nil {
				return nil, name, err
			}
		}
		return answer, name, nil
	}, func(w *change, name sqlstore.KeyName) (*adminv1.ImportKeysResponse, error) {
		answer := &adminv1.ImportKeysResponse{}
		for _, one := range r.GetKeys() {
			name.Name = one.GetName()
			key, err := currentKey(w, name)
			if err != nil {
				return nil, err
			}
			answer.Keys = append(answer.Keys, key)
		}
		return answer, nil
	})
}

// imported returns the key that one entry describes, or all that is wrong with it.
func (s keys) imported(at string, r *adminv1.ImportedKey, app *sqlstore.App, now time.Time) (sqlstore.Key, violations) {
	k := sqlstore.Key{
		KeyName: sqlstore.KeyName{Namespace: app.Namespace, App: app.Name, Name: r.GetName()},
		Type:    sqlstore.APIKey, Description: r.GetDescription(),
	}
	var wrong violations
	note := func(err error) {
		if v, ok := errors.AsType[violations](err); ok {
			for _, one := range v {
				wrong = append(wrong, violation{at + one.field, one.description})
			}
		}
	}
	var err error
	k.Digest, err = s.digest(r.GetDigest())
	note(err)
	k.Scopes, err = grant{"scopes", r.GetScopes(), adminv1.Access_ACCESS_UNSPECIFIED, r.GetAllScopes()}.of(app)
	note(err)
	k.NotBefore, err = instant("not_before", r.GetNotBefore())
	note(err)
	k.ExpiresAt, err = instant("expire_time", r.GetExpireTime())
	note(err)
	note(lasts(&k, now))
	return k, wrong
}

// digest does not repeat the text, which may be a key that somebody put in the wrong place.
func (s keys) digest(text string) (keystore.Digest, error) {
	if !strings.Contains(text, ":") {
		text = "sha256:" + strings.ToLower(text)
	}
	d, err := keystore.ParseDigest(text)
	if err != nil {
		return d, invalid("digest", "%v", err)
	}
	if !s.hasher.Has(d.Pepper) {
		return d, invalid("digest", "no pepper has the id %q; add it to the pepper file of every replica", d.Pepper)
	}
	return d, nil
}
