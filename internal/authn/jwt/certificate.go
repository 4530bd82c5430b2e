package jwt

import (
	"crypto/sha256"
	"encoding/pem"
	"net/url"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
)

// binding is the certificate that a token is bound to (RFC 8705 section 3.1).
type binding struct {
	bound      bool
	thumbprint [sha256.Size]byte // SHA-256 of the certificate's DER
}

// readBinding reads the claim cnf. Whatever it holds besides the certificate's thumbprint, a DPoP key say, binds the
// token in a way that nothing here checks: such a token is refused in every mode.
func readBinding(claims map[string]any, mode v1alpha1.BindingMode) (binding, error) {
	confirmation, there := claims["cnf"]
	if !there {
		if mode == v1alpha1.BindingRequired {
			return binding{}, errUnbound
		}
		return binding{}, nil
	}
	members, _ := confirmation.(map[string]any)
	text, _ := members["x5t#S256"].(string)
	thumbprint, err := strictBase64.DecodeString(text)
	if err != nil || len(thumbprint) != sha256.Size || len(members) != 1 {
		return binding{}, errConfirm
	}
	if mode != v1alpha1.BindingOptional && mode != v1alpha1.BindingRequired {
		return binding{}, errConfirm
	}
	return binding{bound: true, thumbprint: [sha256.Size]byte(thumbprint)}, nil
}

// check returns errThumbprint unless the client showed the certificate on the connection that Envoy accepted.
func (b *binding) check(r *authz.Request) error {
	if !b.bound {
		return nil
	}
	text, err := url.PathUnescape(r.Source.Certificate)
	if err != nil {
		return errThumbprint
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || sha256.Sum256(block.Bytes) != b.thumbprint {
		return errThumbprint
	}
	return nil
}
