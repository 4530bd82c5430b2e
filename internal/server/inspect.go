package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/keystore/declared"
	"github.com/postern-auth/postern/internal/kube"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/source"
	"github.com/postern-auth/postern/internal/telemetry"
)

// fetchTime is how long an inspection waits for remote keys. Nobody holds a request open for it.
const fetchTime = 10 * time.Second

// readTime is how long reading a cluster may take.
const readTime = time.Minute

// Inspection is resources compiled as the server compiles them, without a server.
type Inspection struct {
	Schemes, Policies, Apps int // that were found, in error or not
	Errors                  v1alpha1.Errors
	Warnings                v1alpha1.Errors

	set    *policy.Set
	loader *loader
	parts  *parts
}

// Inspect reads and compiles the resources, every signature scheme with explain. With fetch it may fetch remote key
// sets, once a request needs them. Close it in the end.
func Inspect(ctx context.Context, cfg *config.Config, fetch bool) (*Inspection, error) {
	p, err := newParts(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if !fetch {
		p.keySets.Close()
		p.keySets = nil
	}
	p.explain = true
	i := &Inspection{parts: p}
	snap, err := read(ctx, cfg, p)
	if err != nil {
		i.Close()
		return nil, err
	}
	l, err := newLoader(cfg, p)
	if err != nil {
		i.Close()
		return nil, err
	}
	result := l.load(snap)
	i.Errors, i.Warnings, i.set, i.loader = result.errors, result.warnings, result.set, l
	for _, c := range result.counts {
		switch c.Kind {
		case v1alpha1.KindAuthScheme:
			i.Schemes += c.Count
		case v1alpha1.KindAuthPolicy:
			i.Policies += c.Count
		case v1alpha1.KindApp:
			i.Apps += c.Count
		}
	}
	return i, nil
}

// read reads a directory, or a cluster.
func read(ctx context.Context, cfg *config.Config, p *parts) (source.Snapshot, error) {
	if cfg.Resources.Kubernetes != nil {
		ctx, cancel := context.WithTimeout(ctx, readTime)
		defer cancel()
		return kube.Read(ctx, clusterOptions(&cfg.Resources, p.hasher, slog.New(slog.DiscardHandler)))
	}
	snap, err := source.ReadDir(cfg.Resources.Dir)
	if err != nil {
		return snap, fmt.Errorf("%w; name the directory of the resources", err)
	}
	return snap, nil
}

// Coverage lists the routes of the Gateway API and what covers each.
func (i *Inspection) Coverage() []policy.Coverage { return i.set.Coverage() }

// Explain decides the request, whose Route need not be set yet, and tells how.
func (i *Inspection) Explain(ctx context.Context, r *authz.Request) (authz.Decision, *policy.Trace) {
	r.Now = time.Now()
	r.Deadline = r.Now.Add(fetchTime)
	err := r.SettleBody(int64(len(r.Body.Bytes)))
	if err == nil {
		err = r.Canonicalize()
	}
	if err != nil {
		d := authz.Deny(authz.ReasonOf(err), err)
		return d, &policy.Trace{Method: r.Method, Host: r.Host, Path: r.Path, Decision: policy.TracedDecision{
			Verdict: d.Verdict(), Reason: d.Reason.String(), Detail: err.Error(),
		}}
	}
	return i.set.Explain(ctx, r)
}

// Scheme returns the AuthScheme "namespace/name", nil if there is none without errors.
func (i *Inspection) Scheme(name string) *v1alpha1.AuthScheme {
	if s := i.loader.schemes.states[name]; s != nil && s.inUse != nil {
		return s.good.doc.Scheme
	}
	return nil
}

// App returns the keys of the App "namespace/name", nil if there is none without errors.
func (i *Inspection) App(name string) *declared.Keys {
	if s := i.loader.apps.states[name]; s != nil && s.inUse != nil {
		return s.inUse.keys
	}
	return nil
}

// Close ends what the inspection started.
func (i *Inspection) Close() { i.parts.close() }

// summary says what telemetry wants to know of a load.
func (l *loaded) summary() telemetry.Reload {
	return telemetry.Reload{Failed: l.set == nil, Errors: len(l.errors), Resources: l.counts, Routes: l.routes}
}
