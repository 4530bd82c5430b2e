package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
)

// violation is one field of a request that is wrong.
type violation struct{ field, description string }

// violations make a request INVALID_ARGUMENT.
type violations []violation

// Error prints each as field: description.
func (v violations) Error() string {
	lines := make([]string, len(v))
	for i, one := range v {
		lines[i] = one.field + ": " + one.description
	}
	return strings.Join(lines, "; ")
}

// invalid is a violation of one field. It does not show texts that may be secrets.
func invalid(field, format string, args ...any) error {
	return violations{{field, fmt.Sprintf(format, args...)}}
}

// under says of violations that their fields are below another.
func under(field string, err error) error {
	v, ok := errors.AsType[violations](err)
	if !ok {
		return err
	}
	below := make(violations, len(v))
	for i, one := range v {
		below[i] = violation{field + "." + one.field, one.description}
	}
	return below
}

func refused(code connect.Code, format string, args ...any) error {
	return connect.NewError(code, fmt.Errorf(format, args...))
}

func attach(err *connect.Error, detail proto.Message) {
	if d, bad := connect.NewErrorDetail(detail); bad == nil {
		err.AddDetail(d)
	}
}

// problem makes of an error what the caller is told. unexpected is set if the log should say more.
func problem(err error) (told *connect.Error, unexpected bool) {
	if v, ok := errors.AsType[violations](err); ok {
		return v.problem(), false
	}
	if e, ok := errors.AsType[*sqlstore.InvalidError](err); ok {
		return violations{{e.Field, e.Message}}.problem(), false
	}
	if e, ok := errors.AsType[*connect.Error](err); ok {
		return e, false
	}
	const lost = "the database of keys cannot be reached; try again, a write with the same request_id, since it may have been carried out"
	switch {
	case errors.Is(err, sqlstore.ErrExists):
		return connect.NewError(connect.CodeAlreadyExists, err), false
	case errors.Is(err, sqlstore.ErrNotFound):
		return connect.NewError(connect.CodeNotFound, err), false
	case errors.Is(err, sqlstore.ErrConflict):
		return connect.NewError(connect.CodeAborted, errStale), false
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, errors.New("the caller has gone away")), false
	case errors.Is(err, context.DeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, errors.New(lost)), true
	case errors.Is(err, sqlstore.ErrUnavailable):
		return connect.NewError(connect.CodeUnavailable, errors.New(lost)), true
	default:
		return connect.NewError(connect.CodeInternal, errors.New("something is wrong with the server; its log says what")), true
	}
}

// errStale says that an etag is not the current one.
var errStale = errors.New("the object has changed since it was read; read it again and repeat the change with its etag")

func (v violations) problem() *connect.Error {
	err := connect.NewError(connect.CodeInvalidArgument, v)
	detail := &errdetails.BadRequest{}
	for _, one := range v {
		detail.FieldViolations = append(detail.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: one.field, Description: one.description,
		})
	}
	attach(err, detail)
	return err
}
