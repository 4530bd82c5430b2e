package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// plan says how long to measure.
type plan struct {
	rounds   int
	duration time.Duration // of one side of a round
}

// brief is enough where the limit is far away.
func (p plan) brief() plan { return plan{min(p.rounds, 3), min(p.duration, time.Second)} }

// side is a server with what it is asked.
type side struct {
	target  *target
	traffic traffic
}

// runner asks one side and adds up what its process used.
type runner struct {
	target  *target
	workers [inFlight]func() []byte
	cpu     time.Duration
	checks  int
}

func newRunner(s side) (*runner, error) {
	w, err := workers(s.traffic)
	return &runner{target: s.target, workers: w}, err
}

// run asks for a while.
func (r *runner) run(ctx context.Context, d time.Duration) error {
	before, err := cpuTime(r.target.PID())
	if err != nil {
		return err
	}
	checks, err := r.target.client.run(ctx, &r.workers, d)
	if err != nil {
		return err
	}
	after, err := cpuTime(r.target.PID())
	r.cpu += after - before
	r.checks += checks
	return err
}

// take returns the CPU time per check in microseconds, and begins anew.
func (r *runner) take() float64 {
	cost := float64(r.cpu) / float64(time.Microsecond) / float64(max(r.checks, 1))
	r.cpu, r.checks = 0, 0
	return cost
}

const (
	slice = 200 * time.Millisecond // how long one side is asked before it is the other's turn

	// A heap that still grows makes the kernel hand out a page with nearly every check, which a server that has run for
	// a minute never sees again.
	warm      = 0.3 // page faults a check; half of that stays, for the collector gives pages back and takes them again
	coldSlice = 500 * time.Millisecond
	coldest   = 90 * time.Second // three times the live heap of a million keys are filled by then
)

// warmUp asks until caches are full and the heap has found its size, for five times atLeast.
func (r *runner) warmUp(ctx context.Context, atLeast time.Duration) error {
	for begin := time.Now(); ; {
		before, err := pageFaults(r.target.PID())
		if err != nil {
			return err
		}
		if err := r.run(ctx, min(coldSlice, atLeast)); err != nil {
			return err
		}
		after, err := pageFaults(r.target.PID())
		if err != nil {
			return err
		}
		checks := r.checks
		r.take()
		took := time.Since(begin)
		if took > 5*atLeast && float64(after-before) < warm*float64(checks) || took > min(coldest, 45*atLeast) {
			return nil
		}
	}
}

// compare measures both sides in slices that follow each other as ABBA, so that what else the machine does meanwhile
// meets both alike.
func compare(ctx context.Context, p plan, base, subject side) (c comparison, err error) {
	var sides [2]*runner
	for i, s := range []side{base, subject} {
		if sides[i], err = newRunner(s); err != nil {
			return c, err
		}
		if err := sides[i].warmUp(ctx, p.duration); err != nil {
			return c, fmt.Errorf("warming up: %w", err)
		}
	}
	for range p.rounds {
		for n := range max(int(p.duration/slice), 1) {
			for turn := range 2 {
				if err := sides[(n+turn)%2].run(ctx, min(slice, p.duration)); err != nil {
					return c, err
				}
			}
		}
		costs := [2]float64{sides[0].take(), sides[1].take()}
		c.base = append(c.base, costs[0])
		c.subject = append(c.subject, costs[1])
		c.ratios = append(c.ratios, costs[1]/costs[0])
	}
	return c, nil
}

// comparison holds what each round measured.
type comparison struct{ base, subject, ratios []float64 }

// median returns the middle of the values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}
