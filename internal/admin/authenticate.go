package admin

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/reload"
)

// authenticate lets nobody through to next but callers.
type authenticate struct {
	callers  *reload.Value[callers]
	failures *failures
	next     http.Handler
	observe  func(method, code string)
	log      *slog.Logger
}

// origin is who calls, and where from.
type origin struct {
	caller *caller
	peer   string // an address without port, or unix
}

type originKey struct{}

func originOf(ctx context.Context) origin {
	o, _ := ctx.Value(originKey{}).(origin)
	return o
}

// errUnauthenticated is the same whatever was wrong.
var errUnauthenticated = errors.New("authenticate with a caller's token (Authorization: Bearer …) or client certificate")

// ServeHTTP implements [http.Handler].
func (a *authenticate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	shown, counted := peerOf(r.RemoteAddr)
	c := a.callers.Latest().find(r)
	if c == nil {
		a.refuse(w, r, shown, a.failures.add(counted))
		return
	}
	a.next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), originKey{}, origin{c, shown})))
}

// find returns the caller of a request. A token that is presented decides, even if there is a certificate.
func (c callers) find(r *http.Request) *caller {
	switch given := r.Header.Values("Authorization"); {
	case len(given) > 1:
		return nil
	case len(given) == 1:
		scheme, token, _ := strings.Cut(given[0], " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return nil
		}
		return c.byToken(authz.Secret(token))
	case r.TLS != nil && len(r.TLS.VerifiedChains) > 0:
		return c.byCertificate(r.TLS.VerifiedChains[0][0])
	}
	return nil
}

func (a *authenticate) refuse(w http.ResponseWriter, r *http.Request, peer string, wait time.Duration) {
	err := connect.NewError(connect.CodeUnauthenticated, errUnauthenticated)
	err.Meta().Set("WWW-Authenticate", "Bearer")
	if wait > 0 {
		err = connect.NewError(connect.CodeResourceExhausted, errors.New("too many failed attempts to authenticate; wait, and correct the credential"))
		err.Meta().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		attach(err, &errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	} else { // what is over the limit would only fill the log
		a.log.Warn("admin: not a caller", "peer", peer, "method", strings.TrimPrefix(clip(r.URL.Path), "/"))
	}
	a.observe(observed(r.URL.Path), err.Code().String())
	if writer := connect.NewErrorWriter(); writer.IsSupported(r) {
		_ = writer.Write(w, r, err) // the client is gone
		return
	}
	maps.Copy(w.Header(), err.Meta())
	status := http.StatusUnauthorized
	if wait > 0 {
		status = http.StatusTooManyRequests
	}
	http.Error(w, err.Message(), status)
}

// observed names the method of a path for [Options.Observe]: strangers must not be able to make up names.
func observed(path string) string {
	if _, known := required[path]; !known {
		return "_other"
	}
	return strings.TrimPrefix(path, "/")
}
