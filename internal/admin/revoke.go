package admin

import (
	"context"

	"connectrpc.com/connect"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// RevokeKey implements KeyService.
func (s keys) RevokeKey(ctx context.Context, r *adminv1.RevokeKeyRequest) (*adminv1.RevokeKeyResponse, error) {
	name := callOf(ctx).target
	key, err := once(ctx, s.service, r, func(w *change) (*adminv1.Key, sqlstore.KeyName, error) {
		old, err := w.key(name)
		if err != nil {
			return nil, name, err
		}
		before := keyMessage(&old, w.Now())
		if !old.RevokedAt.IsZero() {
			return before, name, nil
		}
		old.RevokedAt = w.Now()
		stored, err := w.UpdateKey(old)
		if err != nil {
			return nil, name, err
		}
		key := keyMessage(&stored, w.Now())
		return key, name, w.record(name, before, key, r.GetReason())
	}, currentKey)
	if err != nil {
		return nil, err
	}
	return &adminv1.RevokeKeyResponse{Key: key}, nil
}

// DeleteKey implements KeyService.
func (s keys) DeleteKey(ctx context.Context, r *adminv1.DeleteKeyRequest) (*adminv1.DeleteKeyResponse, error) {
	name := callOf(ctx).target
	return once(ctx, s.service, r, func(w *change) (*adminv1.DeleteKeyResponse, sqlstore.KeyName, error) {
		old, err := w.key(name)
		if err == nil {
			err = matches(r.GetEtag(), old.Revision)
		}
		if err != nil {
			return nil, name, err
		}
		if state := old.State(w.Now()); state != sqlstore.Revoked && state != sqlstore.Expired {
			return nil, name, refused(connect.CodeFailedPrecondition, "the key %s is %s; revoke it first", name, state)
		}
		if err := w.DeleteKey(name); err != nil {
			return nil, name, err
		}
		return &adminv1.DeleteKeyResponse{}, name, w.record(name, keyMessage(&old, w.Now()), nil, "")
	}, func(*change, sqlstore.KeyName) (*adminv1.DeleteKeyResponse, error) {
		return &adminv1.DeleteKeyResponse{}, nil
	})
}
