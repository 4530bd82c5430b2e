package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
)

// change is a write under way.
type change struct {
	*sqlstore.Tx

	call      call
	requestID string
}

// write is a request that changes something.
type write interface {
	proto.Message
	GetRequestId() string
}

// once carries out a write in one transaction with its record. do returns the answer, and the name of what it made or
// changed. A request that was carried out before is not again: then repeat makes the answer for that name.
func once[T any](ctx context.Context, s *service, request write,
	do func(*change) (T, sqlstore.KeyName, error), repeat func(*change, sqlstore.KeyName) (T, error),
) (T, error) {
	c := callOf(ctx)
	hash, err := fingerprint(request)
	if err != nil {
		return *new(T), err
	}
	this := sqlstore.Request{Caller: c.caller.name, Method: c.method, ID: request.GetRequestId(), Hash: hash}
	var answer T
	err = s.store.Update(ctx, func(tx *sqlstore.Tx) error {
		w := &change{Tx: tx, call: c, requestID: this.ID}
		if this.ID != "" {
			first, err := tx.Request(this.Caller, this.Method, this.ID)
			if err == nil {
				if !bytes.Equal(first.Hash, this.Hash) {
					return errReused
				}
				answer, err = repeat(w, parseKeyName(first.Object))
				return err
			}
			if !errors.Is(err, sqlstore.ErrNotFound) {
				return err
			}
		}
		made, name, err := do(w)
		if err != nil || this.ID == "" {
			answer = made
			return err
		}
		answer, this.Object = made, name.String()
		return tx.RememberRequest(this)
	})
	if err != nil {
		return *new(T), err
	}
	return answer, nil
}

// parseKeyName reads what [sqlstore.KeyName.String] wrote.
func parseKeyName(id string) (n sqlstore.KeyName) {
	n.Namespace, id, _ = strings.Cut(id, "/")
	n.App, n.Name, _ = strings.Cut(id, "/")
	return n
}

var errReused = violations{{"request_id", "another request was made under this id within a day; make a new id for each request"}}

// fingerprint tells requests apart by all but their id.
func fingerprint(request write) ([]byte, error) {
	bare := proto.Clone(request)
	field := bare.ProtoReflect().Descriptor().Fields().ByName("request_id")
	bare.ProtoReflect().Clear(field)
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(bare)
	sum := sha256.Sum256(text)
	return sum[:], err
}

// record says what became of an object. before is nil if it is new, and after if it is no more.
func (w *change) record(target sqlstore.KeyName, before, after proto.Message, reason string) error {
	e := w.call.event(target, reason)
	e.RequestID = w.requestID
	var err error
	if e.Before, err = document(before); err != nil {
		return err
	}
	if e.After, err = document(after); err != nil {
		return err
	}
	_, err = w.AppendEvent(e)
	return err
}

func document(m proto.Message) ([]byte, error) {
	if m == nil {
		return nil, nil
	}
	return protojson.Marshal(m)
}
