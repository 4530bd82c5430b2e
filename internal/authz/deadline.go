package authz

import (
	"context"
	"sync"
	"time"
)

// Within bounds ctx by the check's deadline. Call cancel when the work is done.
//
// It costs little: the timer starts when somebody asks for Done or Err, which work that finds its answer at hand
// never does.
func (r *Request) Within(ctx context.Context) (bounded context.Context, cancel context.CancelFunc) {
	if r.Deadline.IsZero() {
		return ctx, func() {}
	}
	c := &boundedContext{Context: ctx, deadline: r.Deadline}
	return c, c.cancel
}

// boundedContext is a context whose deadline is armed on first use.
type boundedContext struct {
	context.Context // the parent

	deadline time.Time
	arm      sync.Once
	armed    context.Context
	disarm   context.CancelFunc
}

// canceled is what a boundedContext becomes that is cancelled before it was armed.
var canceled = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func (c *boundedContext) start() context.Context {
	c.arm.Do(func() { c.armed, c.disarm = context.WithDeadline(c.Context, c.deadline) })
	return c.armed
}

func (c *boundedContext) cancel() {
	c.arm.Do(func() { c.armed, c.disarm = canceled, func() {} })
	c.disarm()
}

// Deadline implements [context.Context].
func (c *boundedContext) Deadline() (time.Time, bool) {
	if parent, ok := c.Context.Deadline(); ok && parent.Before(c.deadline) {
		return parent, true
	}
	return c.deadline, true
}

// Done implements [context.Context].
func (c *boundedContext) Done() <-chan struct{} { return c.start().Done() }

// Err implements [context.Context].
func (c *boundedContext) Err() error { return c.start().Err() }
