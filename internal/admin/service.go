package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/time/rate"

	"github.com/postern-auth/postern/internal/keystore"
	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// service is what the four services share.
type service struct {
	store    *sqlstore.Store
	hasher   *keystore.Hasher
	declared func(namespace, name string) (where string, ok bool)
	observe  func(method, code string)
	log      *slog.Logger
	now      func() time.Time
	refusals *rate.Limiter // of calls refused for want of a role that go on record
}

// refusalsAtOnce is how many such calls go on record at once; then, one a second. The log has them all.
const refusalsAtOnce = 20

// call is a call that is allowed.
type call struct {
	origin

	method string // postern.admin.v1.KeyService/IssueKey
	target sqlstore.KeyName
	role   role // what the caller is in the target's namespace
}

// codeOK is the code of a call that was carried out, which connect has no name for.
const codeOK = "ok"

type callKey struct{}

func callOf(ctx context.Context) call { return ctx.Value(callKey{}).(call) }

// answer bounds the time of a call, turns its error into what the caller is told, counts and logs it.
func (s *service) answer(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		began, code := time.Now(), connect.CodeInternal.String() // that of a panic
		defer func() { s.observe(methodOf(request), code) }()
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		response, err := next(ctx, request)
		o := originOf(ctx)
		line := []slog.Attr{
			slog.String("method", methodOf(request)), slog.String("caller", o.caller.name), slog.String("peer", o.peer),
			slog.String("target", shown(targetOf(request.Any()))),
		}
		if err == nil {
			code = codeOK
			level := slog.LevelInfo
			if required[request.Spec().Procedure] == viewer {
				level = slog.LevelDebug
			}
			s.log.LogAttrs(ctx, level, "admin", append(line, slog.Duration("took", time.Since(began)))...)
			return response, nil
		}
		told, unexpected := problem(err)
		code = told.Code().String()
		level := slog.LevelInfo
		line = append(line, slog.String("code", code))
		if unexpected {
			level = slog.LevelError
			line = append(line, slog.Any("error", err))
		}
		s.log.LogAttrs(ctx, level, "admin: refused", line...)
		return nil, told
	}
}

// authorize lets a call through if the caller has the method's role in the target's namespace. Where a method lists,
// no namespace stands for all that the caller may see; elsewhere validate refuses none.
func (s *service) authorize(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		c := call{origin: originOf(ctx), method: methodOf(request), target: targetOf(request.Any())}
		c.role = c.caller.roles.in(c.target.Namespace)
		needs, known := required[request.Spec().Procedure]
		if !known || c.role < needs {
			err := refused(connect.CodePermissionDenied, "%s needs the role %s in the namespace %q, and %s is %s there",
				c.method, needs, clip(c.target.Namespace), c.caller.name, c.role)
			s.recordRefusal(ctx, c, needs)
			return nil, err
		}
		return next(context.WithValue(ctx, callKey{}, c), request)
	}
}

// recordRefusal puts a call that was refused for want of a role on record, unless there were too many of late.
func (s *service) recordRefusal(ctx context.Context, c call, needs role) {
	if !s.refusals.AllowN(s.now(), 1) {
		return
	}
	err := s.store.Update(context.WithoutCancel(ctx), func(tx *sqlstore.Tx) error { // whoever hangs up is on record all the same
		_, err := tx.AppendEvent(c.event(sqlstore.KeyName{
			Namespace: clip(c.target.Namespace), App: clip(c.target.App), Name: clip(c.target.Name),
		}, "refused: it needs the role "+needs.String()))
		return err
	})
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "admin: a refusal could not be put on record", slog.Any("error", err))
	}
}

func (c *call) event(target sqlstore.KeyName, reason string) sqlstore.Event {
	return sqlstore.Event{
		Caller: c.caller.name, Role: c.role.String(), Method: c.method, Peer: c.peer,
		Namespace: target.Namespace, App: target.App, Key: target.Name, Reason: reason,
	}
}

// recovered makes of a panic an error. What it panicked with is shown only if it is the runtime's: other values may hold
// anything.
func (s *service) recovered(ctx context.Context, spec connect.Spec, _ http.Header, p any) error {
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	s.log.LogAttrs(ctx, slog.LevelError, "admin: a call ended in a panic", slog.String("method", spec.Procedure),
		slog.String("panic", what), slog.String("stack", string(debug.Stack())))
	told, _ := problem(errPanic)
	return told
}

var errPanic = errors.New("a call ended in a panic")

func methodOf(request connect.AnyRequest) string {
	return strings.TrimPrefix(request.Spec().Procedure, "/")
}

// targetOf returns the object that a request is about. What it does not name is empty.
func targetOf(request any) sqlstore.KeyName {
	switch r := request.(type) {
	case interface{ GetApp() *adminv1.App }:
		return sqlstore.KeyName{Namespace: r.GetApp().GetNamespace(), App: r.GetApp().GetName()}
	case interface{ GetKey() *adminv1.Key }:
		k := r.GetKey()
		return sqlstore.KeyName{Namespace: k.GetNamespace(), App: k.GetApp(), Name: k.GetName()}
	case interface {
		GetNamespace() string
		GetApp() string
		GetName() string
	}:
		return sqlstore.KeyName{Namespace: r.GetNamespace(), App: r.GetApp(), Name: r.GetName()}
	case interface {
		GetNamespace() string
		GetApp() string
	}:
		return sqlstore.KeyName{Namespace: r.GetNamespace(), App: r.GetApp()}
	case interface {
		GetNamespace() string
		GetName() string
	}:
		return sqlstore.KeyName{Namespace: r.GetNamespace(), App: r.GetName()}
	case interface{ GetNamespace() string }:
		return sqlstore.KeyName{Namespace: r.GetNamespace()}
	default:
		return sqlstore.KeyName{}
	}
}

// shown returns the name of a target that has not been checked yet, for the log.
func shown(t sqlstore.KeyName) string {
	return strings.TrimRight(sqlstore.KeyName{Namespace: clip(t.Namespace), App: clip(t.App), Name: clip(t.Name)}.String(), "/")
}

// clip returns a name that has not been checked yet, or the beginning of one that is far too long.
func clip(s string) string {
	const most = 253
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return '?'
		}
		return r
	}, s)
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
