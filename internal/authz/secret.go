package authz

import (
	"fmt"
	"log/slog"
)

// redacted stands wherever a Secret would have been printed.
const redacted = "[redacted]"

// Secret is text that must not reach a log, a metric, an error or an answer. Printing, logging and marshalling a
// Secret, alone or in an exported field, a slice or a map's values, yields a placeholder; [Secret.Reveal] is the one way
// to its text, easy to find in review.
//
// Package fmt calls no methods on unexported fields and prints what they hold: a type that keeps a Secret in one is
// never printed whole.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String implements [fmt.Stringer].
func (Secret) String() string { return redacted }

// Format implements [fmt.Formatter], so that %x, %q and %#v redact as well.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
