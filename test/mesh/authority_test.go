//go:build linux

package mesh

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-auth/postern/test/harness"
)

// authority issues the certificates of Postern and of its clients into files of a directory.
type authority struct {
	*harness.Authority

	dir string
}

// newAuthority makes an authority and writes its certificate to ca.crt.
func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{harness.NewAuthority(), t.TempDir()}
	a.write(t, "ca.crt", a.PEM())
	return a
}

// file returns the path of a file of the authority's.
func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes a certificate and its key to name.crt and name.key.
func (a *authority) issue(t *testing.T, name string, template *x509.Certificate) {
	t.Helper()
	cert, key := harness.PEM(a.Issue(template))
	a.write(t, name+".crt", cert)
	a.write(t, name+".key", key)
}

func (a *authority) write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(a.file(name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}
