package replay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	a.cert, a.key = a.sign(t, template)
	a.file = writePEM(t, "CERTIFICATE", a.cert.Raw)
	return a
}

// sign makes a certificate; that of an authority which has none yet it signs itself.
func (a *authority) sign(t *testing.T, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// issue makes a certificate for a name and for 127.0.0.1.
func (a *authority) issue(t *testing.T, name string) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	leaf, key := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key},
		writePEM(t, "CERTIFICATE", leaf.Raw), writePEM(t, "PRIVATE KEY", der)
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	return writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

// TestTLS speaks TLS with a server that asks for a certificate. The pinned Valkey knows no TLS: a relay speaks it.
func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, _, _ := theirs.issue(t, "redis")
	_, certFile, keyFile := ours.issue(t, "postern")
	_, strangerCert, strangerKey := theirs.issue(t, "postern")
	clients := x509.NewCertPool()
	clients.AddCert(ours.cert)
	v := startValkey(t)
	v.openAged(t)
	relay := relayTLS(t, &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}, v.Address)
	for name, c := range map[string]struct {
		tls  *RedisTLS
		want string // in the error; empty: it works
	}{
		"by address":            {&RedisTLS{CAFile: theirs.file, CertFile: certFile, KeyFile: keyFile}, ""},
		"by name":               {&RedisTLS{CAFile: theirs.file, CertFile: certFile, KeyFile: keyFile, ServerName: "redis"}, ""},
		"another name":          {&RedisTLS{CAFile: theirs.file, CertFile: certFile, KeyFile: keyFile, ServerName: "other"}, "not other"},
		"another authority":     {&RedisTLS{CAFile: ours.file, CertFile: certFile, KeyFile: keyFile}, "certificate signed by unknown authority"},
		"the system's":          {&RedisTLS{CertFile: certFile, KeyFile: keyFile}, "certificate signed by unknown authority"},
		"no client certificate": {&RedisTLS{CAFile: theirs.file}, "certificate required"},
		"a stranger's":          {&RedisTLS{CAFile: theirs.file, CertFile: strangerCert, KeyFile: strangerKey}, "tls: "},
		"plain text":            {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := openAt(t, relay.address, func(o *RedisOptions) { o.TLS = c.tls })
			look := func() error { _, err := m.ask(t.Context(), "", time.Time{}); return err }
			switch err := look(); {
			case c.tls == nil:
				if err == nil {
					t.Error("plain text is answered")
				}
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// TestTLSRestart: connections that Redis has closed are not used for another question.
func TestTLSRestart(t *testing.T) {
	theirs := newAuthority(t)
	cert, _, _ := theirs.issue(t, "redis")
	v := startValkey(t)
	relay := relayTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}}, v.Address)
	m := openAt(t, relay.address, func(o *RedisOptions) { o.TLS = &RedisTLS{CAFile: theirs.file} })
	look(t, m)
	if n := relay.open.Load(); n != 1 {
		t.Fatalf("%d connections are kept", n)
	}
	v.restart(t)
	await(t, "the relay has hung up", func() bool { return relay.open.Load() == 0 })
	look(t, m)
}
