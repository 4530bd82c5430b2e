package authz

// Principal is a verified caller. It is immutable once made and may be shared by caches and requests.
type Principal struct {
	Subject    string            // "app:shop/acme", or a token's subject
	App        string            // "namespace/name" of the App, or a token's client; may be empty
	KeyID      string            // public name of the credential; may be empty
	Scopes     Scopes            // what it may do
	Claims     map[string]any    // a token's claims as decoded JSON; nil for other schemes
	Attributes map[string]string // the App's attributes
	Labels     map[string]string // the App's labels
}
