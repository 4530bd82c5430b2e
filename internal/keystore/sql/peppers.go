package sqlstore

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
)

// peppers are the ids of the peppers that some digest in the database was made with, as long as somebody follows its
// changes: then a digest with another pepper need not be looked for.
type peppers struct {
	mu  sync.Mutex
	ids atomic.Pointer[map[string]bool] // nil: not known
}

// lack reports whether it is certain that no digest is made with the pepper.
func (p *peppers) lack(id string) bool {
	ids := p.ids.Load()
	return ids != nil && !(*ids)[id]
}

func (p *peppers) known() bool { return p.ids.Load() != nil }

// learn takes ids from the database. It keeps others, since one may have been added while they were read.
func (p *peppers) learn(ids []string) { p.extend(ids, true) }

// add takes ids of new digests.
func (p *peppers) add(ids []string) { p.extend(ids, false) }

func (p *peppers) extend(ids []string, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.ids.Load()
	if old == nil && !all {
		return
	}
	next := map[string]bool{}
	if old != nil {
		next = maps.Clone(*old)
	}
	for _, id := range ids {
		next[id] = true
	}
	p.ids.Store(&next)
}

// forget ends what is known: nobody follows.
func (p *peppers) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids.Store(nil)
}

// Lacks reports whether it is certain that no digest in the database is made with the pepper.
func (s *Store) Lacks(pepper string) bool { return s.peppers.lack(pepper) }

func (s *Store) learnPeppers(ctx context.Context) error {
	ids, err := all(ctx, s.db.read, func(row scanner) (id string, err error) { return id, row.Scan(&id) }, `SELECT id FROM peppers`)
	if err == nil {
		s.peppers.learn(ids)
	}
	return err
}
