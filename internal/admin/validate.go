package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
)

// files are those of the API.
var files = []protoreflect.FileDescriptor{
	adminv1.File_postern_admin_v1_apps_proto,
	adminv1.File_postern_admin_v1_keys_proto,
	adminv1.File_postern_admin_v1_records_proto,
}

// validator checks requests by the rules that the protos state.
type validator struct{ rules protovalidate.Validator }

// newValidator compiles all rules, so that a bad one fails here.
func newValidator() (*validator, error) {
	var requests []protoreflect.MessageDescriptor
	for _, file := range files {
		for i := range file.Messages().Len() {
			requests = append(requests, file.Messages().Get(i))
		}
	}
	rules, err := protovalidate.New(protovalidate.WithDisableLazy(), protovalidate.WithMessageDescriptors(requests...))
	if err != nil {
		return nil, fmt.Errorf("the rules of the admin API: %w", err)
	}
	return &validator{rules}, nil
}

// intercept implements [connect.UnaryInterceptorFunc].
func (v *validator) intercept(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		if err := v.check(request.Any().(proto.Message)); err != nil {
			return nil, err
		}
		return next(ctx, request)
	}
}

func (v *validator) check(message proto.Message) error {
	list := unstorable(message)
	err := v.rules.Validate(message)
	if broken, ok := errors.AsType[*protovalidate.ValidationError](err); ok {
		for _, one := range broken.Violations {
			list = append(list, violation{protovalidate.FieldPathString(one.Proto.GetField()), one.Proto.GetMessage()})
		}
		return list
	}
	if err == nil && list != nil {
		err = list
	}
	return err
}

// unstorable finds texts that PostgreSQL takes neither as a value nor in a question.
func unstorable(message proto.Message) (list violations) {
	_ = protorange.Options{Stable: true}.Range(message.ProtoReflect(), func(at protopath.Values) error { // which never fails
		if text, ok := at.Index(-1).Value.Interface().(string); ok && strings.Contains(text, "\x00") {
			list = append(list, violation{strings.TrimPrefix(at.Path[1:].String(), "."), "it holds a NUL byte; leave it out"})
		}
		return nil
	}, nil)
	return list
}
