package telemetry

import (
	"encoding"
	"fmt"
	"io"
	"log/slog"
	"reflect"
)

// NewLogger makes a logger that writes to w, format json or text, what is of the level (debug, info, warn, error) or
// above.
//
// It prints scalars, errors and values that have a text of their own. Anything else would be printed field by field,
// which is how a request ends up in a log with its headers: only the type's name is printed.
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q is not known; use debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l, ReplaceAttr: scalarsOnly}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	default:
		return nil, fmt.Errorf("log format %q is not known; use json or text", format)
	}
}

func scalarsOnly(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindAny {
		return a
	}
	switch v := a.Value.Any().(type) {
	case nil, []string, encoding.TextMarshaler:
	case error:
		a.Value = slog.StringValue(v.Error())
	case fmt.Stringer:
		a.Value = slog.StringValue(v.String())
	default:
		a.Value = slog.StringValue(scalar(v))
	}
	return a
}

// scalar returns the text of a value whose type is a name for a simple one, and of any other the type.
func scalar(v any) string {
	switch kind := reflect.TypeOf(v).Kind(); {
	case kind == reflect.String, reflect.Bool <= kind && kind <= reflect.Float64:
		return fmt.Sprint(v)
	default:
		return fmt.Sprintf("[%T]", v)
	}
}
