package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// stored measures the same check over a database with so many keys and over one with a thousand: a thousand keys are
// asked for in both, spread over the larger one. The note tells what the larger one costs beside.
func stored(open func(context.Context, string) (*database, error), keys int) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (result, error) {
		few, err := b.newStoredWorld(ctx, open, 1000)
		if err != nil {
			return result{}, err
		}
		defer few.stop()
		many, err := b.newStoredWorld(ctx, open, keys)
		if err != nil {
			return result{}, err
		}
		defer many.stop()
		var sides [2]side
		for i, w := range []*storedWorld{few, many} {
			asked := spread(w.keys, len(few.keys))
			if err := w.prime(ctx, asked); err != nil {
				return result{}, err
			}
			sides[i] = side{w.target, withKeys(asked, w.hosts)}
		}
		c, err := compare(ctx, b.plan, sides[0], sides[1])
		if err != nil {
			return result{}, err
		}
		r := ratioResult(c, limitLarger)
		r.Note, err = many.note(ctx, few)
		return r, err
	}
}

// storedWorld is a world whose keys are in a database, and the Postern that serves it.
type storedWorld struct {
	*world

	target   *target
	database *database
	imported time.Duration // how long it took to bring the keys in
	started  time.Duration // and then, until another Postern was ready
}

// newStoredWorld fills a database through one Postern and starts another, as after a restart: importing leaves a large
// heap behind.
func (b *bench) newStoredWorld(
	ctx context.Context, open func(context.Context, string) (*database, error), keys int,
) (w *storedWorld, err error) {
	if err := b.programs.buildPostern(ctx); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.programs.dir, "stored-")
	if err != nil {
		return nil, err
	}
	resources, err := newWorld(filepath.Join(dir, "resources"), b.secrets, size{policies: 10, keys: keys})
	if err != nil {
		return nil, err
	}
	db, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			db.stop()
		}
	}()
	w = &storedWorld{world: resources, database: db}
	admin, err := harness.NewAdmin(ctx, b.programs.postern, dir, db.options.DSN.Reveal())
	if err != nil {
		return nil, err
	}
	w.config = admin.Config
	importer, _, err := b.programs.startPostern(ctx, w.world)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	err = w.importKeys(ctx, admin, filepath.Join(dir, "digests.txt"))
	w.imported = time.Since(begin)
	importer.stop()
	if err != nil {
		return nil, err
	}
	w.target, w.started, err = b.programs.startPostern(ctx, w.world)
	return w, err
}

func (w *storedWorld) stop() {
	w.target.stop()
	w.database.stop()
}

// importKeys makes ten Apps and brings the keys into them as an operator does: by commands that read digests from a
// file and call the admin API.
func (w *storedWorld) importKeys(ctx context.Context, admin *harness.Admin, file string) error {
	const apps = 10
	for i := range apps {
		var lines strings.Builder
		for j := i * len(w.digests) / apps; j < (i+1)*len(w.digests)/apps; j++ {
			fmt.Fprintf(&lines, "key-%06d %s\n", j, w.digests[j])
		}
		if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
			return err
		}
		app := fmt.Sprint("partner-", i)
		for _, command := range [][]string{
			{"apps", "create", app, "--display-name", "A partner", "--owner", "partners", "--labels", "tier=partner",
				"--attributes", fmt.Sprint("tenant=t", i), "--scopes", "orders:read,orders:write"},
			{"keys", "import", app, "-f", file, "--all-scopes"},
		} {
			if _, err := admin.Run(ctx, command...); err != nil {
				return err
			}
		}
	}
	return nil
}

// prime asks for each key until it is let through. The first reads of a cold database may take longer than a check can
// wait, and then Postern could not tell.
func (w *storedWorld) prime(ctx context.Context, keys []string) error {
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range keys {
		next, err := withKeys(keys[i:i+1], w.hosts)(i)
		if err != nil {
			return err
		}
		var refused error
		if err := harness.Await(ctx, "each key was let through once", func() bool {
			refused = w.target.client.check(ctx, i, next())
			return refused == nil
		}); err != nil {
			return fmt.Errorf("%w: %w", err, refused)
		}
	}
	return nil
}

// note says what the database costs beside, and how much memory Postern takes over this one and over a smaller one.
func (w *storedWorld) note(ctx context.Context, smaller *storedWorld) (string, error) {
	memory, err := resident(w.target.PID())
	if err != nil {
		return "", err
	}
	less, err := resident(smaller.target.PID())
	if err != nil {
		return "", err
	}
	size, err := w.database.size()
	if err != nil {
		return "", err
	}
	times, err := w.database.lookups(ctx, w.digests)
	if err != nil {
		return "", err
	}
	percentile := func(n int) time.Duration { return times[len(times)*n/100].Round(time.Microsecond) }
	return fmt.Sprintf("imported in %.0f s; %d MiB on disk; read from it in %v, p99 %v; ready after %.1f s; %d MiB of memory instead of %d",
		w.imported.Seconds(), size>>20, percentile(50), percentile(99), w.started.Seconds(), memory>>20, less>>20), nil
}
