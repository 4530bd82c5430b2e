package sqlstore

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/keystore"
)

// AppName is what an App is known by.
type AppName struct{ Namespace, Name string }

// String returns namespace/name.
func (n AppName) String() string { return n.Namespace + "/" + n.Name }

// KeyName is what a key is known by.
type KeyName struct{ Namespace, App, Name string }

// String returns the key's id, namespace/app/name.
func (n KeyName) String() string { return strings.Join([]string{n.Namespace, n.App, n.Name}, "/") }

// AppName returns the name of the key's App.
func (n KeyName) AppName() AppName { return AppName{n.Namespace, n.App} }

// App is an App as it is stored. Times are UTC, to the microsecond.
type App struct {
	AppName

	DisplayName, Owner, Description string
	Disabled                        bool
	Scopes                          []string
	Labels, Attributes              map[string]string

	// Set by the Store.
	CreatedAt, UpdatedAt time.Time
	Revision             int64 // the number of its last change; no two versions of anything share one
}

// KeyType is how a key proves its App.
type KeyType string

// The types of keys.
const (
	APIKey              KeyType = "api_key"
	PersonalAccessToken KeyType = "personal_access_token"
	HMACSecret          KeyType = "hmac_secret"
	PublicKey           KeyType = "public_key"
)

// Key is a key as it is stored. Times are UTC, to the microsecond; the zero time is none.
type Key struct {
	KeyName

	Type        KeyType
	Description string

	// Of API keys and personal access tokens.
	Digest           keystore.Digest
	Prefix, LastFour string // what people recognise it by
	Subject          string // the user of a personal access token

	// Of signing keys. Secret, of an HMAC secret, is only written: a Key that was read has none.
	SigningID string
	Algorithm string
	PublicKey string // PEM or JWK
	Secret    authz.Secret

	Scopes               []string // nil: all that the App has
	Disabled             bool
	NotBefore, ExpiresAt time.Time
	RevokedAt            time.Time
	Successor            string // the name of the key that was made in its place

	// Set by the Store.
	CreatedAt, UpdatedAt time.Time
	Revision             int64
	LastUsed             time.Time // lags by what was not yet flushed
}

// State is whether a key is good at some time.
type State string

// The states of a key. Of several that hold, the first counts.
const (
	Revoked  State = "revoked"
	Expired  State = "expired"
	Disabled State = "disabled"
	Pending  State = "pending" // NotBefore is yet to come
	Active   State = "active"
)

// State returns the key's state at the time. It does not look at the App.
func (k *Key) State(now time.Time) State {
	switch {
	case !k.RevokedAt.IsZero():
		return Revoked
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return Expired
	case k.Disabled:
		return Disabled
	case now.Before(k.NotBefore):
		return Pending
	default:
		return Active
	}
}

// Event is one entry of the audit record: who did what, when, to which object.
type Event struct {
	ID            int64     // set by the Store; later events have greater ones
	At            time.Time // set by the Store
	Caller, Role  string
	Method        string
	Namespace     string
	App, Key      string
	RequestID     string
	Peer          string
	Before, After json.RawMessage // nil: there was none, or is none any more
	Reason        string
}

// Request is a request that was carried out and must not be again.
type Request struct {
	Caller, Method, ID string
	Hash               []byte // of all that was asked
	Object             string // what it made or changed, as the caller of the Store writes it
}

// UsageCount is what a key was used for on a day.
type UsageCount struct {
	KeyName

	Day      string // YYYY-MM-DD in UTC
	Requests int64
	LastUsed time.Time
}
