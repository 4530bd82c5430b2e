package policy

import "github.com/postern-auth/postern/internal/authz"

// Kind is a scheme's kind, in the order in which schemes that hold together give the principal: the user's first.
type Kind uint8

// The kinds.
const (
	KindJWT Kind = iota
	KindIntrospection
	KindSignature
	KindClientCertificate
	KindBasic
	KindAPIKey
)

// provesApp reports whether a principal's App is a stored App. In a token it is a name that the issuer gave out,
// which must not pass for one.
func (k Kind) provesApp() bool { return k == KindSignature || k == KindBasic || k == KindAPIKey }

// Scheme is an AuthScheme ready for use. A scheme that has not changed keeps its pointer from one compilation to the
// next: by it the Compiler knows which policies need no work.
type Scheme struct {
	Name          string // "namespace/name"
	Kind          Kind
	Realm         string // default: the policy's first host
	Authenticator authz.Authenticator
}
