package admin

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	"github.com/postern-auth/postern/internal/authz"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// defaultOverlap is how long a rotated key stays good.
const defaultOverlap = day

// RotateKey implements KeyService.
func (s keys) RotateKey(ctx context.Context, r *adminv1.RotateKeyRequest) (*adminv1.RotateKeyResponse, error) {
	name := callOf(ctx).target
	return once(ctx, s.service, r, func(w *change) (*adminv1.RotateKeyResponse, sqlstore.KeyName, error) {
		old, err := w.key(name)
		if err == nil {
			err = matches(r.GetEtag(), old.Revision)
		}
		if err == nil {
			err = w.mayRotate(&old)
		}
		if err != nil {
			return nil, name, err
		}
		made, secret, err := s.succeed(w, &old, r)
		if err != nil {
			return nil, name, err
		}
		ended, err := w.end(old, made.Name, r)
		if err != nil {
			return nil, name, err
		}
		answer := &adminv1.RotateKeyResponse{
			Key: keyMessage(&made, w.Now()), Secret: secret.Reveal(), Predecessor: keyMessage(&ended, w.Now()),
		}
		if err := w.record(made.KeyName, nil, answer.GetKey(), "in place of "+name.Name); err != nil {
			return nil, name, err
		}
		return answer, made.KeyName, w.record(name, keyMessage(&old, w.Now()), answer.GetPredecessor(), "")
	}, func(w *change, made sqlstore.KeyName) (*adminv1.RotateKeyResponse, error) {
		key, err := currentKey(w, made)
		if err != nil {
			return nil, err
		}
		answer := &adminv1.RotateKeyResponse{Key: key, Notice: notice(key)}
		if old, err := w.Key(name); err == nil { // it may have been deleted since
			answer.Predecessor = keyMessage(&old, w.Now())
		}
		return answer, nil
	})
}

// mayRotate refuses a key that is ended or held, which a successor must not undo, and one that has a successor.
func (w *change) mayRotate(old *sqlstore.Key) error {
	switch {
	case !old.RevokedAt.IsZero():
		return refused(connect.CodeFailedPrecondition, "the key %s is revoked; issue another", old.KeyName)
	case old.Disabled:
		return refused(connect.CodeFailedPrecondition, "the key %s is disabled; enable it first, or issue another", old.KeyName)
	case old.Successor == "":
		return nil
	}
	name := old.KeyName
	name.Name = old.Successor
	next, err := w.Key(name)
	switch {
	case errors.Is(err, sqlstore.ErrNotFound):
		return nil
	case err != nil:
		return err
	case next.RevokedAt.IsZero():
		return refused(connect.CodeFailedPrecondition, "the key %s was rotated already; rotate its successor %s", old.KeyName, next.Name)
	}
	return nil
}

// succeed makes the successor.
func (s keys) succeed(w *change, old *sqlstore.Key, r *adminv1.RotateKeyRequest) (sqlstore.Key, authz.Secret, error) {
	app, err := s.appOfKeys(w, old.AppName())
	if err != nil {
		return sqlstore.Key{}, "", err
	}
	k := sqlstore.Key{
		KeyName: sqlstore.KeyName{Namespace: old.Namespace, App: old.App, Name: r.GetSuccessor()},
		Type:    old.Type, Description: old.Description, Subject: old.Subject, Prefix: old.Prefix, Algorithm: old.Algorithm,
		PublicKey: r.GetPublicKey(), Scopes: still(old.Scopes, &app),
	}
	if err := fitsType(&k); err != nil {
		return k, "", err
	}
	begin := w.Now()
	if old.NotBefore.After(begin) { // what is not good yet does not become so
		begin, k.NotBefore = old.NotBefore, old.NotBefore
	}
	var given bool
	k.ExpiresAt, given, err = ending(r.GetExpireTime(), r.GetTtl(), w.Now())
	if err == nil && !given {
		k.ExpiresAt = asLongAs(old, begin)
	}
	if err == nil {
		err = lasts(&k, w.Now())
	}
	if err != nil {
		return k, "", err
	}
	return s.make(w, k)
}

// asLongAs returns when a key ends that begins then and is made to last as long as the old one was: zero for never.
func asLongAs(old *sqlstore.Key, begin time.Time) time.Time {
	if old.ExpiresAt.IsZero() {
		return time.Time{}
	}
	from := old.CreatedAt
	if old.NotBefore.After(from) {
		from = old.NotBefore
	}
	length := old.ExpiresAt.Sub(from)
	if old.Type == sqlstore.PersonalAccessToken {
		length = min(length, longestToken)
	}
	return begin.Add(length)
}

// end lets the old key end after the overlap, or when it would have anyway.
func (w *change) end(old sqlstore.Key, successor string, r *adminv1.RotateKeyRequest) (sqlstore.Key, error) {
	overlap, given, err := span("overlap", r.GetOverlap())
	if err != nil {
		return old, err
	}
	if !given {
		overlap = defaultOverlap
	}
	old.Successor = successor
	if end := w.Now().Add(overlap); old.ExpiresAt.IsZero() || end.Before(old.ExpiresAt) {
		old.ExpiresAt = end
	}
	return w.UpdateKey(old)
}
