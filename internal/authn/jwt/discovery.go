package jwt

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// loader fetches the document of a key set.
type loader func(ctx context.Context) (*document, error)

// keySet loads from a JWKS address.
func (w *web) keySet(address string) loader {
	return func(ctx context.Context) (*document, error) { return w.get(ctx, address) }
}

// discovered loads from the address that the issuer's metadata names (OpenID Connect Discovery 1.0 section 4).
// The metadata are read anew each time, so an issuer may move its keys.
func (w *web) discovered(issuer string) loader {
	return func(ctx context.Context) (*document, error) {
		metadata, err := w.get(ctx, metadataAddress(issuer))
		if err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
		address, err := keySetAddress(metadata.body, issuer)
		if err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
		return w.get(ctx, address)
	}
}

func metadataAddress(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

var errDowngrade = errors.New("plain http is for issuers that are themselves at a loopback address")

// keySetAddress returns jwks_uri of an issuer's metadata. The metadata must name the very issuer they were asked of
// (section 4.3): otherwise one issuer could speak for another. What an issuer elsewhere says must not lead to services
// on this machine.
func keySetAddress(metadata []byte, issuer string) (string, error) {
	object, err := decodeObject(string(metadata))
	if err != nil {
		return "", err
	}
	if object["issuer"] != issuer {
		return "", errors.New("the metadata are another issuer's")
	}
	address, _ := object["jwks_uri"].(string)
	u, err := checkAddress(address)
	if err == nil && u.Scheme == "http" && !strings.HasPrefix(issuer, "http://") {
		err = errDowngrade
	}
	if err != nil {
		return "", fmt.Errorf("jwks_uri: %w", err)
	}
	return address, nil
}
