package usage

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// batch is how many counts are written at a time.
	batch = 500
	// flushTime bounds writing one batch; lastFlushTime all of them, once the program is to end.
	flushTime     = 5 * time.Second
	lastFlushTime = 5 * time.Second
)

// pending are counts on their way out. Only Run uses them; others may ask how many there are.
type pending struct {
	most   int
	counts map[row]Count
	size   atomic.Int64

	lost              atomic.Uint64 // requests for which there was no room
	written, failures atomic.Uint64
}

// row is what is written once.
type row struct {
	keyID string
	day   int64 // since 1970
}

func (p *pending) init(most int) { p.most, p.counts = most, map[row]Count{} }

// add merges a count with what waits of the same key and day.
func (p *pending) add(keyID string, requests uint64, last int64) {
	id := row{keyID, last / secondsDay}
	c, known := p.counts[id]
	if !known && len(p.counts) >= p.most {
		p.lost.Add(requests)
		return
	}
	at := time.Unix(last, 0).UTC()
	if at.Before(c.LastUsed) {
		at = c.LastUsed
	}
	p.counts[id] = Count{
		KeyID: keyID, Day: time.Unix(id.day*secondsDay, 0).UTC(), Requests: c.Requests + requests, LastUsed: at,
	}
	p.size.Store(int64(len(p.counts)))
}

// sorted returns what waits in order of key and day: two replicas that write the same rows never wait for each other in
// a circle.
func (p *pending) sorted() []Count {
	counts := make([]Count, 0, len(p.counts))
	for _, c := range p.counts {
		counts = append(counts, c)
	}
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Or(cmp.Compare(a.KeyID, b.KeyID), a.Day.Compare(b.Day)) })
	return counts
}

// drop removes what was written.
func (p *pending) drop(counts []Count) {
	for _, c := range counts {
		delete(p.counts, row{c.KeyID, c.Day.Unix() / secondsDay})
	}
	p.size.Store(int64(len(p.counts)))
	p.written.Add(uint64(len(counts)))
}

// Run flushes once an interval until ctx ends, and then once more. It is called once.
func (c *Counter) Run(ctx context.Context) {
	ticker := time.NewTicker(c.opts.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlushTime)
			defer cancel()
			c.flush(last)
			return
		}
	}
}

// flush writes out what was counted, batch by batch, until one fails.
func (c *Counter) flush(ctx context.Context) {
	c.tables.collect(c.pending.add)
	for counts := range slices.Chunk(c.pending.sorted(), batch) {
		if err := c.write(ctx, counts); err != nil {
			c.pending.failures.Add(1)
			c.opts.Log.Warn("the use of keys could not be written; it is kept and tried again", "counts", len(c.pending.counts), "error", err)
			return
		}
		c.pending.drop(counts)
	}
}

func (c *Counter) write(ctx context.Context, counts []Count) error {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	return c.opts.Flush(ctx, counts)
}

// Stats is what a Counter tells about itself. The counts never fall.
type Stats struct {
	Keys     int    // that are being counted
	Pending  int    // counts that were taken and not yet written
	Lost     uint64 // requests that were not counted, because too many keys were in use
	Written  uint64 // counts that were written
	Failures uint64 // flushes that failed
}

// Stats returns the figures.
func (c *Counter) Stats() Stats {
	return Stats{
		Keys: int(c.tables.keys.Load()), Pending: int(c.pending.size.Load()),
		Lost:    c.tables.overflow.Load() + c.pending.lost.Load(),
		Written: c.pending.written.Load(), Failures: c.pending.failures.Load(),
	}
}
