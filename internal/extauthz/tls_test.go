package extauthz

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/postern-auth/postern/internal/listen"
)

// authority signs certificates for 127.0.0.1.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	self := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = sign(t, self, self, nil)
	a.pool.AddCert(a.cert)
	return a
}

func sign(t *testing.T, template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parentKey == nil {
		parentKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// issue returns a certificate and its key as PEM.
func (a *authority) issue(t *testing.T, name string) (certPEM, keyPEM []byte) {
	t.Helper()
	cert, key := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return encodePEM("CERTIFICATE", cert.Raw), encodePEM("PRIVATE KEY", der)
}

func (a *authority) pem() []byte { return encodePEM("CERTIFICATE", a.cert.Raw) }

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// write replaces a file as an editor does, with a time of its own.
func write(t *testing.T, path string, content []byte) {
	t.Helper()
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temporary, path); err != nil {
		t.Fatal(err)
	}
}

func tlsFiles(t *testing.T, a *authority) *listen.TLS {
	t.Helper()
	dir := t.TempDir()
	files := &listen.TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	cert, key := a.issue(t, "first")
	write(t, files.CertFile, cert)
	write(t, files.KeyFile, key)
	return files
}

// lockedBuffer is a log that a server writes while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serverName connects once and returns the name in the server's certificate.
func serverName(t *testing.T, addr net.Addr, config *tls.Config) (string, error) {
	t.Helper()
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial(addr.Network(), addr.String(), config)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Read(make([]byte, 1)); err != nil { // TLS 1.3 tells of a refused client certificate here
		return "", err
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestTLS(t *testing.T) {
	ca := newAuthority(t, "ca")
	_, addr := start(t, "127.0.0.1:0", Options{Checker: allowAll, TLS: tlsFiles(t, ca)})
	conn := dial(t, addr, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: ca.pool})))
	if check(t, conn, typicalRequest()).GetOkResponse() == nil {
		t.Error("denied")
	}
	_, err := authv3.NewAuthorizationClient(dial(t, addr)).Check(t.Context(), typicalRequest())
	if status.Code(err) != codes.Unavailable {
		t.Errorf("plaintext was answered with %v", err)
	}
	old := &tls.Config{RootCAs: ca.pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if _, err := serverName(t, addr, old); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestMutualTLS(t *testing.T) {
	ca, clients, others := newAuthority(t, "ca"), newAuthority(t, "clients"), newAuthority(t, "others")
	files := tlsFiles(t, ca)
	files.ClientCAFile = filepath.Join(filepath.Dir(files.CertFile), "ca.crt")
	write(t, files.ClientCAFile, clients.pem())
	_, addr := start(t, "127.0.0.1:0", Options{Checker: allowAll, TLS: files})
	with := func(a *authority) *tls.Config {
		cert, err := tls.X509KeyPair(a.issue(t, "envoy"))
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{cert}}
	}
	conn := dial(t, addr, grpc.WithTransportCredentials(credentials.NewTLS(with(clients))))
	if check(t, conn, typicalRequest()).GetOkResponse() == nil {
		t.Error("denied")
	}
	if _, err := serverName(t, addr, with(others)); err == nil {
		t.Error("a client certificate of another authority was accepted")
	}
	if _, err := serverName(t, addr, &tls.Config{RootCAs: ca.pool}); err == nil {
		t.Error("a client without certificate was accepted")
	}
	write(t, files.ClientCAFile, append(others.pem(), '\n'))
	if _, err := serverName(t, addr, with(others)); err != nil {
		t.Errorf("the new client CA is not used: %v", err)
	}
	if _, err := serverName(t, addr, with(clients)); err == nil {
		t.Error("a client of the authority that was taken away was accepted")
	}
}

func TestTLSReload(t *testing.T) {
	ca := newAuthority(t, "ca")
	files := tlsFiles(t, ca)
	var log lockedBuffer
	_, addr := start(t, "127.0.0.1:0", Options{Checker: allowAll, TLS: files, Log: slog.New(slog.NewTextHandler(&log, nil))})
	expect := func(want string) {
		t.Helper()
		if got, err := serverName(t, addr, &tls.Config{RootCAs: ca.pool}); got != want {
			t.Errorf("certificate of %q, %v; want %q", got, err, want)
		}
	}
	expect("first")
	cert, key := ca.issue(t, "the second")
	write(t, files.CertFile, cert)
	expect("first") // the key is still the old one
	if !strings.Contains(log.String(), "the last good version stays in use") {
		t.Errorf("log:\n%s", log.String())
	}
	write(t, files.KeyFile, append(key, '\n'))
	expect("the second")
	if err := os.Remove(files.CertFile); err != nil {
		t.Fatal(err)
	}
	expect("the second")
}

func TestTLSRefuses(t *testing.T) {
	ca := newAuthority(t, "ca")
	missing := *tlsFiles(t, ca)
	missing.KeyFile = "/nowhere/tls.key"
	badCA := *tlsFiles(t, ca)
	badCA.ClientCAFile = badCA.KeyFile
	noCA := *tlsFiles(t, ca)
	noCA.ClientCAFile = "/nowhere/ca.crt"
	for files, want := range map[*listen.TLS]string{
		&missing: "TLS certificate " + missing.CertFile + " with key /nowhere/tls.key: open /nowhere/tls.key: no such file or directory",
		&badCA:   "TLS client CA " + badCA.KeyFile + ": the file holds no PEM certificate",
		&noCA:    "TLS client CA: open /nowhere/ca.crt: no such file or directory",
	} {
		if _, err := New(Options{Checker: allowAll, TLS: files}); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
