package sqlstore

import (
	"context"

	"github.com/postern-auth/postern/internal/keystore"
)

// Change says what has changed: an API key if it has a Digest, a signing key if it has a SigningID, else the App and all
// its keys.
type Change struct {
	App       AppName
	Digest    keystore.Digest
	SigningID string
}

// Changes are what has changed, in order.
type Changes struct {
	All  bool // everything may have
	List []Change
}

// Memory is what remembers what a Store said, as the cached one does.
type Memory interface {
	Forget(d keystore.Digest)
	ForgetSigningID(id string)
	ForgetApp(namespace, name string)
	ForgetAll()
}

// Forget makes a memory forget what has changed.
func (c Changes) Forget(m Memory) {
	if c.All {
		m.ForgetAll()
	}
	for _, change := range c.List {
		switch {
		case change.SigningID != "": // it may be new to what is remembered of its App
			m.ForgetSigningID(change.SigningID)
			m.ForgetApp(change.App.Namespace, change.App.Name)
		case change.Digest != keystore.Digest{}:
			m.Forget(change.Digest)
		default:
			m.ForgetApp(change.App.Namespace, change.App.Name)
		}
	}
}

// counter is the number of the last change, in a database.
type counter struct {
	storeID string
	seq     int64
}

func readCounter(ctx context.Context, q querier, lock string) (counter, error) {
	return one(ctx, q, func(row scanner) (c counter, err error) { return c, row.Scan(&c.storeID, &c.seq) },
		`SELECT store_id, seq FROM change_counter`+lock)
}

// numbered is a change with its number.
type numbered struct {
	Change

	seq int64
}

func scanChange(row scanner) (numbered, error) {
	var c numbered
	err := row.Scan(&c.seq, &c.App.Namespace, &c.App.Name, (*sum)(&c.Digest.Sum), (*optional)(&c.Digest.Pepper),
		(*optional)(&c.SigningID))
	return c, err
}

// changesAfter returns the changes with the numbers from after+1 to until. ok is false if some are no longer there.
func changesAfter(ctx context.Context, q querier, after, until int64) (list []Change, ok bool, err error) {
	rows, err := all(ctx, q, scanChange, `SELECT seq, namespace, app, digest, pepper, signing_id FROM changes
		WHERE seq > $1 AND seq <= $2 ORDER BY seq`, after, until)
	if err != nil {
		return nil, false, err
	}
	for i, row := range rows {
		if row.seq != after+int64(i)+1 {
			return nil, false, nil
		}
		list = append(list, row.Change)
	}
	return list, after+int64(len(rows)) == until, nil
}

// record writes the changes of a transaction, and the number of the last, which it holds the lock of.
func (tx *Tx) record() error {
	if len(tx.changes) == 0 {
		return nil
	}
	rows := make([][]any, len(tx.changes))
	for i, c := range tx.changes {
		var digest any
		if c.Digest != (keystore.Digest{}) {
			digest = c.Digest.Sum[:]
		}
		rows[i] = []any{
			tx.first + int64(i), instant(tx.now), c.App.Namespace, c.App.Name,
			digest, optional(c.Digest.Pepper), optional(c.SigningID),
		}
	}
	if _, err := tx.insert(
		`INSERT INTO changes (seq, changed_at, namespace, app, digest, pepper, signing_id)`, rows, ""); err != nil {
		return err
	}
	_, err := exec(tx.ctx, tx.sql, `UPDATE change_counter SET seq = $1`, tx.first+int64(len(rows))-1)
	if err == nil && tx.store.db.notify != "" {
		_, err = exec(tx.ctx, tx.sql, tx.store.db.notify)
	}
	return err
}
