package sqlstore

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound says that there is no such App, key or request.
	ErrNotFound = errors.New("no such object")

	// ErrExists is what every ExistsError is.
	ErrExists = errors.New("the object exists")

	// ErrConflict says that the object has changed since it was read.
	ErrConflict = errors.New("the object has changed meanwhile")

	// ErrInvalid is what every InvalidError is.
	ErrInvalid = errors.New("the object cannot be stored")

	// ErrUnavailable says that the database could not be asked, or did not answer in time. Of an Update it means that
	// nobody knows whether it was carried out: ask again under the same request id.
	ErrUnavailable = errors.New("the database of keys is unavailable")

	// errAnswer says that something on the way to the database has mixed up answers. It is ErrUnavailable.
	errAnswer = fmt.Errorf("%w: it answered another question than was asked", ErrUnavailable)

	// ErrNotPrepared says that nobody has seen yet that the schema is one that this program knows. It is ErrUnavailable.
	ErrNotPrepared = fmt.Errorf("%w: its schema has not been checked yet", ErrUnavailable)
)

// ExistsError says what stands in the way of something new. It is ErrExists.
type ExistsError struct {
	What string  // app, key, digest or signing id
	By   KeyName // who has it; of an App, its Name is empty
}

// Error implements error.
func (e *ExistsError) Error() string {
	switch e.What {
	case "app":
		return "the app " + e.By.AppName().String() + " exists"
	case "key":
		return "the key " + e.By.String() + " exists"
	default:
		return "the " + e.What + " is that of the key " + e.By.String()
	}
}

// Is reports whether target is ErrExists.
func (e *ExistsError) Is(target error) bool { return target == ErrExists }

// InvalidError says why an object cannot be stored. It is ErrInvalid.
type InvalidError struct{ Field, Message string }

// Error prints field: message.
func (e *InvalidError) Error() string { return e.Field + ": " + e.Message }

// Is reports whether target is ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// unavailable is what an error of the database means to callers.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
