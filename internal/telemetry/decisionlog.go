package telemetry

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-auth/postern/internal/authz"
)

// decisionLog writes one line of JSON for each decision that is to be logged. Whoever records never waits: what the
// writer cannot keep up with is dropped and counted.
type decisionLog struct {
	denials bool
	sample  float64

	lines   chan *[]byte
	spare   sync.Pool // of *[]byte
	dropped prometheus.Counter
	closed  atomic.Bool
	stop    chan struct{}
	done    chan struct{}
}

const (
	queuedLines = 2048
	spareBytes  = 4 << 10 // a longer line is rare and its memory not kept
)

func newDecisionLog(o Options, dropped prometheus.Counter) *decisionLog {
	l := &decisionLog{
		denials: o.Denials,
		sample:  o.SampleAllows,
		lines:   make(chan *[]byte, queuedLines),
		spare:   sync.Pool{New: func() any { return new([]byte) }},
		dropped: dropped,
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	go l.write(o.DecisionLog)
	return l
}

// wants reports whether the decision is to be logged. Chance decides about an allowed one: if it hung on the request's
// id, a client could choose not to be seen.
func (l *decisionLog) wants(d *authz.Decision) bool {
	if !d.Allowed() || d.Reason.Class() != authz.ClassAllowed {
		return l.denials
	}
	return l.sample > 0 && (l.sample >= 1 || rand.Float64() < l.sample) //nolint:gosec // nothing is kept secret by it
}

func (l *decisionLog) record(r *authz.Request, d *authz.Decision, took time.Duration) {
	if !l.wants(d) || l.closed.Load() {
		return
	}
	if len(l.lines) == cap(l.lines) { // before the work of making the line
		l.dropped.Inc()
		return
	}
	line, _ := l.spare.Get().(*[]byte)
	*line = appendDecision((*line)[:0], r, d, took)
	select {
	case l.lines <- line:
	default:
		l.dropped.Inc()
		l.recycle(line)
	}
}

func (l *decisionLog) recycle(line *[]byte) {
	if cap(*line) <= spareBytes {
		l.spare.Put(line)
	}
}

// write writes lines until told to stop, and then what is left of them.
func (l *decisionLog) write(out io.Writer) {
	defer close(l.done)
	w := &lineWriter{out: out}
	for {
		select {
		case line := <-l.lines:
			l.writeLine(w, line)
		case <-l.stop:
			for len(l.lines) > 0 {
				l.writeLine(w, <-l.lines)
			}
			return
		}
	}
}

func (l *decisionLog) writeLine(w *lineWriter, line *[]byte) {
	l.dropped.Add(float64(w.write(*line, len(l.lines) == 0)))
	l.recycle(line)
}

// lineWriter gathers lines that come in quick succession.
type lineWriter struct {
	out   io.Writer
	text  []byte
	lines int // in text
}

// gathered is how many bytes are written at once, about.
const gathered = 64 << 10

// write writes the line, now or with one of the next, and returns how many lines were lost. After an error the next
// line is tried afresh.
func (w *lineWriter) write(line []byte, now bool) (lost int) {
	w.text = append(w.text, line...)
	w.lines++
	if !now && len(w.text) < gathered {
		return 0
	}
	if _, err := w.out.Write(w.text); err != nil {
		lost = w.lines
	}
	w.text, w.lines = w.text[:0], 0
	return lost
}

func (l *decisionLog) close(ctx context.Context) error {
	if !l.closed.Swap(true) {
		close(l.stop)
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the decision log was not written out: %w", context.Cause(ctx))
	}
}
