package sqlstore

import (
	"time"
)

// requestsKept is how long a request is remembered.
const requestsKept = 24 * time.Hour

// Request returns a request of the last day, ErrNotFound if there is none.
func (tx *Tx) Request(caller, method, id string) (Request, error) {
	return one(tx.ctx, tx.sql, func(row scanner) (Request, error) {
		r := Request{Caller: caller, Method: method, ID: id}
		err := row.Scan(&r.Hash, &r.Object)
		return r, err
	}, `SELECT hash, object FROM requests WHERE caller = $1 AND method = $2 AND id = $3 AND made_at > $4`,
		caller, method, id, instant(tx.now.Add(-requestsKept)))
}

// RememberRequest remembers a request for a day.
func (tx *Tx) RememberRequest(r Request) error {
	if err := storable(text{"caller", r.Caller}, text{"method", r.Method}, text{"request_id", r.ID}, text{"object", r.Object}); err != nil {
		return err
	}
	_, err := exec(tx.ctx, tx.sql, `INSERT INTO requests (caller, method, id, hash, object, made_at)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (caller, method, id) DO UPDATE SET hash = excluded.hash, object = excluded.object, made_at = excluded.made_at`,
		r.Caller, r.Method, r.ID, r.Hash, r.Object, instant(tx.now))
	return err
}
