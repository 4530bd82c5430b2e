package sqlstore

import (
	"context"
	"time"
)

// EventFilter says which events; its zero value, all.
type EventFilter struct {
	Namespaces   []string // in one of these; nil: in any, empty: in none
	App, Key     string
	Caller       string
	Since, Until time.Time // from Since until before Until; zero: no bound
}

func scanEvent(row scanner) (Event, error) {
	var e Event
	err := row.Scan(&e.ID, (*instant)(&e.At), &e.Caller, &e.Role, &e.Method, &e.Namespace, &e.App, &e.Key, &e.RequestID, &e.Peer,
		asJSON(&e.Before), asJSON(&e.After), &e.Reason)
	return e, err
}

// Events returns at most limit events, the latest first, from the one before the event with the id; 0 stands for the
// latest.
func (s *Store) Events(ctx context.Context, filter EventFilter, before int64, limit int) ([]Event, error) {
	var c conditions
	in(&c, "namespace", filter.Namespaces)
	c.equal("app", filter.App)
	c.equal("key", filter.Key)
	c.equal("caller", filter.Caller)
	if !filter.Since.IsZero() {
		c.add("at >= ?", instant(filter.Since))
	}
	if !filter.Until.IsZero() {
		c.add("at < ?", instant(filter.Until))
	}
	if before > 0 {
		c.add("id < ?", before)
	}
	query := `SELECT id, at, caller, role, method, namespace, app, key, request_id, peer, before, after, reason
		FROM audit` + c.where() + ` ORDER BY id DESC` + c.limit(limit)
	return read(ctx, s, func(ctx context.Context, q querier) ([]Event, error) {
		return all(ctx, q, scanEvent, query, c.args...)
	})
}

// AppendEvent puts an event on record and returns it completed.
func (tx *Tx) AppendEvent(e Event) (Event, error) {
	if err := storable(
		text{"caller", e.Caller}, text{"role", e.Role}, text{"method", e.Method}, text{"namespace", e.Namespace}, text{"app", e.App},
		text{"key", e.Key}, text{"request_id", e.RequestID}, text{"peer", e.Peer}, text{"reason", e.Reason},
	); err != nil {
		return Event{}, err
	}
	e.At = tx.now
	var err error
	e.ID, err = one(tx.ctx, tx.sql, func(row scanner) (id int64, err error) { return id, row.Scan(&id) },
		`INSERT INTO audit (at, caller, role, method, namespace, app, key, request_id, peer, before, after, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
		instant(e.At), e.Caller, e.Role, e.Method, e.Namespace, e.App, e.Key, e.RequestID, e.Peer,
		asJSON(&e.Before), asJSON(&e.After), e.Reason)
	if err == nil {
		tx.events++
	}
	return e, err
}
