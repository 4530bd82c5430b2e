package authz

import (
	"context"
	"errors"
)

// Authenticator is one configured scheme: it turns a Credential into a Principal. It is safe for concurrent use.
type Authenticator interface {
	// Extract finds the scheme's credential in the request. It returns
	//   - an error wrapping ErrNoCredential if nothing of this scheme was presented;
	//   - a Failure of class ClassBadRequest if two different credentials were presented;
	//   - another Failure if what was presented cannot be a credential: it counts as presented and wrong.
	// It is cheap: no cryptography, no waiting.
	Extract(r *Request) (Credential, error)

	// Verify proves the credential that Extract found in the same request. It returns a Failure whose Reason says
	// why the credential does not hold, of class ClassUnavailable when that could not be told. Any other error is
	// taken for ReasonInternal, which is of that class. It may wait, no longer than r.Deadline (see Request.Within).
	Verify(ctx context.Context, r *Request, c Credential) (*Principal, error)

	// Challenge tells a caller how to authenticate. It is asked once, when a policy is compiled.
	Challenge(realm string) Challenge
}

// ErrNoCredential says that a request presents nothing to a scheme, so that the next alternative may be tried.
var ErrNoCredential = errors.New("no credential presented")

// Failure is an error with the Reason for a denial. Its text is for operators; it never holds a secret and never
// reaches the client.
type Failure struct {
	Reason Reason
	Err    error // detail; may be nil

	Explanation *Explanation // what the client may know beside its class; nearly always nil
}

// Explanation is what a scheme under development tells a client that has failed. It holds no secret.
type Explanation struct {
	Text    string
	Headers []Header // of the answer
}

// Explain adds an explanation to an error that says no. An error that could not tell stays as it is.
func Explain(err error, x *Explanation) error {
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Reason.Class() != ClassUnauthenticated {
		return err
	}
	return &Failure{Reason: f.Reason, Err: f.Err, Explanation: x}
}

// Fail makes a Failure. Verifiers on the hot path keep theirs in variables.
func Fail(reason Reason, detail error) *Failure { return &Failure{Reason: reason, Err: detail} }

// Error implements error.
func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Reason.String()
	}
	return f.Reason.String() + ": " + f.Err.Error()
}

// Unwrap returns the detail.
func (f *Failure) Unwrap() error { return f.Err }

// Unavailable reports whether the error means "could not tell" rather than "no".
func (f *Failure) Unavailable() bool { return f.Reason.Class() == ClassUnavailable }

// Unavailable gives an error the Reason that something could not be told, unless it carries one of that class.
func Unavailable(reason Reason, err error) error {
	if f, ok := errors.AsType[*Failure](err); ok && f.Unavailable() {
		return err
	}
	return Fail(reason, err)
}

// ReasonOf returns the Reason that err carries: ReasonNoCredential for ErrNoCredential, and ReasonInternal for an
// error that carries none, since nothing is known about the credential then.
func ReasonOf(err error) Reason {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Reason
	}
	if errors.Is(err, ErrNoCredential) {
		return ReasonNoCredential
	}
	return ReasonInternal
}
