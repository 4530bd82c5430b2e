package replay

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/test/harness"
)

// authority is one whose certificate stands in a file.
type authority struct {
	*harness.Authority

	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := harness.NewAuthority()
	return &authority{a, writeFile(t, string(a.PEM()))}
}

// issue makes a certificate for a name and for 127.0.0.1.
func (a *authority) issue(t *testing.T, name string) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	cert = a.Issue(&x509.Certificate{DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	certPEM, keyPEM := harness.PEM(cert)
	return cert, writeFile(t, string(certPEM)), writeFile(t, string(keyPEM))
}

// TestTLS speaks TLS with a server that asks for a certificate. The pinned Valkey knows no TLS: a relay speaks it.
func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, _, _ := theirs.issue(t, "redis")
	_, certFile, keyFile := ours.issue(t, "postern")
	_, strangerCert, strangerKey := theirs.issue(t, "postern")
	v := startValkey(t)
	v.openAged(t)
	relay := relayTLS(t, &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.Pool(),
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
