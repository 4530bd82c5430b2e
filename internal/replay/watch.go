package replay

import (
	"context"
	"time"
)

const (
	lookInterval = 500 * time.Millisecond
	lookTimeout  = time.Second
)

// Watch looks at the memory twice a second until ctx ends, whether anybody asks or not: a Redis that is new or has
// forgotten begins to remember at once, and evicted keys are noticed. It tells report how each look ended, nil if well,
// and logs what has changed.
func (m *Redis) Watch(ctx context.Context, report func(error)) {
	w := watch{memory: m, began: m.now()}
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		err := w.look(ctx)
		if ctx.Err() != nil {
			return
		}
		report(err)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// watch is what has been seen last.
type watch struct {
	memory *Redis
	began  time.Time
	since  time.Time
	policy string
	failed bool
}

func (w *watch) look(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	a, err := w.memory.ask(bounded, "", time.Time{})
	log := w.memory.log
	switch {
	case ctx.Err() != nil: // nothing is wrong but that we leave
	case err != nil && !w.failed:
		log.Error("signatures whose replay must be refused are answered 503", "error", err)
	case err == nil && w.failed:
		log.Info("Redis answers again")
	}
	w.failed = err != nil
	if err != nil {
		return err
	}
	if !a.since.Equal(w.since) {
		if w.since.IsZero() && a.since.Before(w.began.Add(-maxDrift)) {
			log.Info("Redis remembers accepted signatures", "since", a.since)
		} else {
			log.Warn("the memory in Redis is new: signatures that could have been accepted before it are answered 503",
				"since", a.since)
		}
		w.since = a.since
	}
	if a.name != w.policy && a.name != "noeviction" {
		log.Warn("Redis may evict what it should remember; set maxmemory-policy noeviction", "maxmemory-policy", a.name)
	}
	w.policy = a.name
	return nil
}
