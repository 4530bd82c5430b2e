package sqlstore

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// instant is a time in a column: microseconds since 1970 in UTC, NULL for the zero time.
type instant time.Time

// Value implements [driver.Valuer].
func (i instant) Value() (driver.Value, error) {
	if time.Time(i).IsZero() {
		return nil, nil //nolint:nilnil // NULL is a value
	}
	return time.Time(i).UnixMicro(), nil
}

// Scan implements [database/sql.Scanner].
func (i *instant) Scan(column any) error {
	switch v := column.(type) {
	case nil:
		*i = instant{}
	case int64:
		*i = instant(time.UnixMicro(v).UTC())
	default:
		return fmt.Errorf("a time is %T in the database", column)
	}
	return nil
}

// stored returns the time as a column gives it back.
func stored(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// document is a value in a column of JSON, NULL for nil slices and maps.
type document[T any] struct{ value *T }

func asJSON[T any](value *T) document[T] { return document[T]{value} }

// Value implements [driver.Valuer].
func (d document[T]) Value() (driver.Value, error) {
	text, err := json.Marshal(d.value)
	if err != nil || string(text) == "null" {
		return nil, err
	}
	return string(text), nil
}

// Scan implements [database/sql.Scanner].
func (d document[T]) Scan(column any) error {
	switch v := column.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), d.value)
	case []byte:
		return json.Unmarshal(v, d.value)
	default:
		return fmt.Errorf("a document is %T in the database", column)
	}
}

// optional is a text in a column that has NULL for the empty one.
type optional string

// Value implements [driver.Valuer].
func (o optional) Value() (driver.Value, error) {
	if o == "" {
		return nil, nil //nolint:nilnil // NULL is a value
	}
	return string(o), nil
}

// Scan implements [database/sql.Scanner].
func (o *optional) Scan(column any) error {
	switch v := column.(type) {
	case nil:
		*o = ""
	case string:
		*o = optional(v)
	default:
		return fmt.Errorf("a text is %T in the database", column)
	}
	return nil
}

// sum is the sum of a digest in a column of bytes, NULL for no digest.
type sum [32]byte

var errSum = errors.New("a digest in the database has not 32 bytes")

// Scan implements [database/sql.Scanner].
func (s *sum) Scan(column any) error {
	if column == nil {
		*s = sum{}
		return nil
	}
	v, _ := column.([]byte)
	if len(v) != len(s) {
		return errSum
	}
	copy(s[:], v)
	return nil
}
