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
			var bad error
			list[i], bad = s.imported(one, &app, w.Now())
			if v, ok := errors.AsType[violations](under(fmt.Sprintf("keys[%d]", i), bad)); ok {
				wrong = append(wrong, v...)
			}
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

// imported returns the key that one entry describes. Its errors are violations.
func (s keys) imported(r *adminv1.ImportedKey, app *sqlstore.App, now time.Time) (sqlstore.Key, error) {
	k := sqlstore.Key{
		KeyName: sqlstore.KeyName{Namespace: app.Namespace, App: app.Name, Name: r.GetName()},
		Type:    sqlstore.APIKey, Description: r.GetDescription(),
	}
	var err error
	if k.Digest, err = s.digest(r.GetDigest()); err != nil {
		return k, err
	}
	if k.Scopes, err = (grant{r.GetScopes(), adminv1.Access_ACCESS_UNSPECIFIED, r.GetAllScopes()}).of(app); err != nil {
		return k, err
	}
	if k.NotBefore, err = instant("not_before", r.GetNotBefore()); err != nil {
		return k, err
	}
	if k.ExpiresAt, err = instant("expire_time", r.GetExpireTime()); err != nil {
		return k, err
	}
	return k, lasts(&k, now)
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
