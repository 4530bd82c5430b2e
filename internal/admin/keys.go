package admin

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// keys implements KeyService.
type keys struct{ *service }

// key returns a key, or says that there is none.
func (w *change) key(name sqlstore.KeyName) (sqlstore.Key, error) {
	k, err := w.Key(name)
	return k, orNoKey(err, name)
}

func orNoKey(err error, name sqlstore.KeyName) error {
	if errors.Is(err, sqlstore.ErrNotFound) {
		return refused(connect.CodeNotFound, "there is no key %s in the database", name)
	}
	return err
}

// currentKey answers a repeated request.
func currentKey(w *change, name sqlstore.KeyName) (*adminv1.Key, error) {
	k, err := w.key(name)
	if err != nil {
		return nil, err
	}
	return keyMessage(&k, w.Now()), nil
}

// GetKey implements KeyService.
func (s keys) GetKey(ctx context.Context, _ *adminv1.GetKeyRequest) (*adminv1.GetKeyResponse, error) {
	name := callOf(ctx).target
	k, err := s.store.Key(ctx, name)
	if err != nil {
		return nil, orNoKey(err, name)
	}
	return &adminv1.GetKeyResponse{Key: keyMessage(&k, s.now())}, nil
}

// ListKeys implements KeyService.
func (s keys) ListKeys(ctx context.Context, r *adminv1.ListKeysRequest) (*adminv1.ListKeysResponse, error) {
	if err := named(r.GetNamespace(), r.GetApp(), ""); err != nil {
		return nil, err
	}
	within, given, err := span("expiring_within", r.GetExpiringWithin())
	if err == nil && given && within <= 0 {
		err = invalid("expiring_within", "it must be greater than 0")
	}
	if err != nil {
		return nil, err
	}
	filter := sqlstore.KeyFilter{Namespaces: visible(ctx), App: r.GetApp(), Subject: r.GetSubject(), Expiring: within}
	for _, state := range r.GetStates() {
		stored, known := keyStates[state]
		if !known {
			return nil, invalid("states", "%s is not a state of a key", state)
		}
		filter.States = append(filter.States, stored)
	}
	if given && filter.States == nil { // what is revoked has ended
		filter.States = []sqlstore.State{sqlstore.Active, sqlstore.Pending, sqlstore.Disabled}
	}
	from, err := after[sqlstore.KeyName](r)
	if err != nil {
		return nil, err
	}
	read, err := s.store.Keys(ctx, filter, from, pageSize(r)+1)
	if err != nil {
		return nil, err
	}
	read, next, err := page(r, read, func(k *sqlstore.Key) sqlstore.KeyName { return k.KeyName })
	answer := &adminv1.ListKeysResponse{NextPageToken: next}
	for i := range read {
		answer.Keys = append(answer.Keys, keyMessage(&read[i], s.now()))
	}
	return answer, err
}
