package sqlstore

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// listener waits for PostgreSQL to tell of changes, on a connection of its own. What it tells is only a hint, so whatever
// goes wrong here costs time: until the next poll.
type listener struct {
	config  *pgx.ConnConfig
	timeout time.Duration
	log     *slog.Logger
}

// silence is how long nothing is heard before the connection is tried, for one that is dead may say nothing for ever.
const silence = 15 * time.Second

func (l *listener) listen(ctx context.Context, woken func(), listening func(bool)) {
	const shortest, longest = 100 * time.Millisecond, 5 * time.Second
	pause := shortest
	for {
		err := l.hear(ctx, woken, func() {
			pause = shortest
			listening(true)
		})
		listening(false)
		if ctx.Err() != nil {
			return
		}
		l.log.Warn("notifications of changes of keys are lost; they are polled", "error", err)
		select {
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // when, is no secret
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, longest)
	}
}

// hear listens on one connection until it is lost. What happened before it was made is news, too.
func (l *listener) hear(ctx context.Context, woken, connected func()) error {
	conn, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // it may be broken
	}()
	if err := l.within(ctx, l.timeout, func(ctx context.Context) error {
		_, err := conn.Exec(ctx, "LISTEN "+channel)
		return err
	}); err != nil {
		return err
	}
	connected()
	for {
		woken()
		err := l.within(ctx, silence, func(ctx context.Context) error {
			_, err := conn.WaitForNotification(ctx)
			return err
		})
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			err = l.within(ctx, l.timeout, conn.Ping)
		}
		if err != nil {
			return err
		}
	}
}

func (*listener) within(ctx context.Context, d time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return do(ctx)
}
