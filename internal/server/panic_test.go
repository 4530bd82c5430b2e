package server

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/source"
	"github.com/postern-auth/postern/internal/telemetry"
)

// A panic while resources are read, here of a Server without a loader, ends the program only at the start.
func TestLoadPanics(t *testing.T) {
	var log bytes.Buffer
	logger, err := telemetry.NewLogger(&log, "json", "info")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{log: logger, tel: telemetry.New(telemetry.Options{})}
	ctx, stop := context.WithCancelCause(t.Context())

	s.ready.Store(true)
	s.load(source.Snapshot{}, stop)
	if ctx.Err() != nil {
		t.Errorf("stopped: %v", context.Cause(ctx))
	}
	if !strings.Contains(log.String(), "reading the resources ended in a panic") {
		t.Errorf("the log says %s", log.String())
	}
	if got := s.tel.Health.Degradation(); len(got) != 1 || got[0].Component != "resources" {
		t.Errorf("degraded: %v", got)
	}

	s.ready.Store(false)
	s.load(source.Snapshot{}, stop)
	if !errors.Is(context.Cause(ctx), errLoadPanicked) {
		t.Errorf("stopped by %v, want %v", context.Cause(ctx), errLoadPanicked)
	}
}
