package keystoretest

import "github.com/postern-auth/postern/internal/keystore/seal"

// Sealer returns new keys for a database to seal its secrets with.
func Sealer() *seal.Keys {
	text, err := seal.Generate()
	if err != nil {
		panic(err)
	}
	keys, err := seal.Parse(text)
	if err != nil {
		panic(err)
	}
	return keys
}
