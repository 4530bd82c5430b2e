package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// selfSigned returns a certificate for postern.test and its key in PEM.
func selfSigned(t *testing.T) (certificate, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"postern.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	certificate = block("CERTIFICATE", der)
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(certificate))
	return certificate, block("PRIVATE KEY", keyDER), pool
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
