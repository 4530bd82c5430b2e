package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// newCertificate returns a certificate for postern.test, its key in PEM, and a pool that trusts it.
func newCertificate() (cert, key string, pool *x509.CertPool) {
	ca := harness.NewAuthority()
	certPEM, keyPEM := harness.PEM(ca.Issue(&x509.Certificate{DNSNames: []string{"postern.test"}}))
	return string(certPEM), string(keyPEM), ca.Pool()
}

// keyServer publishes one key once it is released.
type keyServer struct {
	*httptest.Server

	release chan struct{}
	waiting atomic.Int32
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	s := &keyServer{release: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.waiting.Add(1)
		select {
		case <-s.release:
		case <-r.Context().Done():
		}
		fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":%q,"y":%q}]}`, b64(point[1:33]), b64(point[33:]))
	}))
	t.Cleanup(s.Close)
	return s
}

// loginScheme takes tokens that the keys at the address verify.
func loginScheme(name, jwks string) string {
	return fmt.Sprintf(`
apiVersion: postern.dev/v1alpha1
kind: AuthScheme
metadata: {name: %s}
spec: {jwt: {issuers: [{issuer: "https://login.test", audiences: [shop], algorithms: [ES256], jwks: {uri: %q}}]}}
`, name, jwks)
}

// loginPolicy requires a token where a request has X-Env: login.
const loginPolicy = `
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: login}
spec:
  hosts: [shop.test]
  rules: [{name: login, match: [{headers: [{name: X-Env, value: login}]}], security: [{login: []}]}]
`

// unverifiable is a token of that issuer, signed by nobody.
var unverifiable = func() string {
	b64 := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"iss":"https://login.test","aud":"shop","sub":"alice","exp":%d}`, time.Now().Add(time.Hour).Unix())
	return b64([]byte(`{"alg":"ES256","kid":"k1","typ":"JWT"}`)) + "." + b64([]byte(claims)) + "." + b64(make([]byte, 64))
}()
