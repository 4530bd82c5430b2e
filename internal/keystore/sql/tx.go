package sqlstore

import (
	"context"
	"database/sql"
	"time"
)

// Tx is one Update. It must not be used after it, nor by several goroutines at a time.
type Tx struct {
	ctx     context.Context
	store   *Store
	sql     *sql.Tx
	now     time.Time
	first   int64 // the number that the first change gets
	changes []Change
	peppers []string // that new digests were made with
	events  uint64   // that were appended
	broken  error    // why nothing of it can be kept
}

// Update carries out do in one transaction: all of it is kept, durably, or nothing. It returns do's error, or one of the
// database, which is ErrUnavailable.
//
// Updates run one after the other, on all replicas: each begins by locking the row that counts changes. So what do has
// read does not change before it is done, at the isolation level "read committed", which reads afresh with every
// statement and so sees all that was committed before the lock was granted; no transaction is ever refused for
// another's sake; and changes are committed in the order of their numbers, so that who has seen one has seen all before.
//
// Before it returns, who follows in this process has been told what changed.
func (s *Store) Update(ctx context.Context, do func(*Tx) error) error {
	if !s.prepared.Load() {
		return ErrNotPrepared
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.sql.Rollback() }() // does nothing once it is committed
	if err := do(tx); err != nil {
		return err
	}
	if tx.broken != nil {
		return tx.broken
	}
	if err := tx.record(); err != nil {
		return err
	}
	err = tx.sql.Commit()
	// After an error nobody knows whether it was committed. To forget what has not changed does no harm.
	s.tell(tx)
	if err == nil {
		s.stats.events.Add(tx.events)
	}
	return unavailable(err)
}

func (s *Store) begin(ctx context.Context) (*Tx, error) {
	tx, err := s.db.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, unavailable(err)
	}
	c, err := readCounter(ctx, tx, s.db.lockRow)
	if err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	return &Tx{ctx: ctx, store: s, sql: tx, now: stored(s.opts.Now()), first: c.seq + 1}, nil
}

// insert inserts rows as the function does.
func (tx *Tx) insert(into string, rows [][]any, then string) (int64, error) {
	return insert(tx.ctx, tx.sql, tx.store.db.together, into, rows, then)
}

// Now returns the time of the Update, UTC to the microsecond.
func (tx *Tx) Now() time.Time { return tx.now }

// change notes a change and returns its number.
func (tx *Tx) change(c Change) int64 {
	tx.changes = append(tx.changes, c)
	return tx.first + int64(len(tx.changes)) - 1
}

// tell tells who follows in this process what changed.
func (s *Store) tell(tx *Tx) {
	if len(tx.changes) == 0 {
		return
	}
	s.peppers.add(tx.peppers)
	s.followers.tell(Changes{List: tx.changes})
}
