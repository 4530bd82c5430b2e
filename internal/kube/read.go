package kube

import (
	"cmp"
	"context"
	"fmt"

	"github.com/postern-auth/postern/internal/source"
)

// Read reads a cluster once and writes nothing. Where a Source would wait, for the API server or for the definitions of
// kinds, it fails. It does not use options.Report.
func Read(ctx context.Context, options Options) (source.Snapshot, error) {
	ctx, stop := context.WithCancelCause(ctx)
	options.Report = func(err error) {
		if err != nil {
			stop(err)
		}
	}
	s, err := New(options)
	if err != nil {
		stop(nil)
		return source.Snapshot{}, err
	}
	defer s.end(func() { stop(nil) })
	select {
	case err := <-s.begin(ctx):
		return source.Snapshot{}, fmt.Errorf("resources.kubernetes: %w", cmp.Or(context.Cause(ctx), err))
	case <-s.objects.complete:
	}
	snap, _ := s.snapshot() // the first there is
	return snap, nil
}
