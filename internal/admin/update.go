package admin

import (
	"context"
	"slices"

	"connectrpc.com/connect"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// keyFields are what an update may change.
var keyFields = map[string]func(to, from *adminv1.Key){
	"description": func(to, from *adminv1.Key) { to.Description = from.GetDescription() },
	"disabled":    func(to, from *adminv1.Key) { to.Disabled = from.GetDisabled() },
	"scopes":      func(to, from *adminv1.Key) { to.Scopes = from.GetScopes() },
	"all_scopes":  func(to, from *adminv1.Key) { to.AllScopes = from.GetAllScopes() },
	"not_before":  func(to, from *adminv1.Key) { to.NotBefore = from.GetNotBefore() },
	"expire_time": func(to, from *adminv1.Key) { to.ExpireTime = from.GetExpireTime() },
}

// UpdateKey implements KeyService.
func (s keys) UpdateKey(ctx context.Context, r *adminv1.UpdateKeyRequest) (*adminv1.UpdateKeyResponse, error) {
	name := callOf(ctx).target
	key, err := once(ctx, s.service, r, func(w *change) (*adminv1.Key, sqlstore.KeyName, error) {
		old, err := w.key(name)
		if err == nil {
			err = matches(r.GetKey().GetEtag(), old.Revision)
		}
		if err != nil {
			return nil, name, err
		}
		changed, err := w.changed(&old, r)
		if err != nil {
			return nil, name, err
		}
		next, err := w.updated(old, changed, r.GetUpdateMask().GetPaths())
		if err != nil {
			return nil, name, under("key", err)
		}
		stored, err := w.UpdateKey(next)
		if err != nil {
			return nil, name, err
		}
		key := keyMessage(&stored, w.Now())
		return key, name, w.record(name, keyMessage(&old, w.Now()), key, "")
	}, currentKey)
	if err != nil {
		return nil, err
	}
	return &adminv1.UpdateKeyResponse{Key: key}, nil
}

// changed returns the key's message with what the request puts in it.
func (w *change) changed(old *sqlstore.Key, r *adminv1.UpdateKeyRequest) (*adminv1.Key, error) {
	if !old.RevokedAt.IsZero() {
		return nil, refused(connect.CodeFailedPrecondition, "the key %s is revoked, which is for good; issue another", old.KeyName)
	}
	m := keyMessage(old, w.Now())
	return m, masked(keyFields, m, r.GetKey(), r.GetUpdateMask())
}

// updated returns the key as the message m has it, of which some fields were changed.
func (w *change) updated(old sqlstore.Key, m *adminv1.Key, fields []string) (sqlstore.Key, error) {
	changes := func(field string) bool { return slices.Contains(fields, field) }
	next := old
	next.Description, next.Disabled = m.GetDescription(), m.GetDisabled()
	var err error
	if changes("scopes") || changes("all_scopes") {
		if next.Scopes, err = w.regranted(&old, m, changes("scopes"), changes("all_scopes")); err != nil {
			return old, err
		}
	}
	if next.NotBefore, err = instant("not_before", m.GetNotBefore()); err != nil {
		return old, err
	}
	if next.ExpiresAt, err = instant("expire_time", m.GetExpireTime()); err != nil {
		return old, err
	}
	if !changes("expire_time") && !changes("not_before") {
		return next, nil
	}
	if later := next.ExpiresAt.IsZero() || next.ExpiresAt.After(old.ExpiresAt); later && old.Successor != "" && changes("expire_time") {
		return old, refused(connect.CodeFailedPrecondition, "the key %s was rotated and may only end sooner; its successor is %s",
			old.KeyName, old.Successor)
	}
	return next, lasts(&next, w.Now())
}

// regranted returns the scopes of a key, of whose scopes and all_scopes some were changed.
func (w *change) regranted(old *sqlstore.Key, m *adminv1.Key, scopes, all bool) ([]string, error) {
	app, err := w.app(old.AppName())
	if err != nil {
		return nil, err
	}
	switch {
	case !all: // new scopes end that it has all
		m.AllScopes = false
	case !scopes && m.GetAllScopes(): // and the other way round
		m.Scopes = nil
	case !scopes && old.Scopes == nil:
		return nil, invalid("scopes", "say which the key keeps, and name scopes in update_mask too")
	}
	return grant{m.GetScopes(), adminv1.Access_ACCESS_UNSPECIFIED, m.GetAllScopes()}.of(&app)
}
