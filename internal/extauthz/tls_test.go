package extauthz

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/postern-auth/postern/internal/listen"
	"github.com/postern-auth/postern/test/harness"
)

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

// issue returns a certificate for 127.0.0.1 and its key as PEM.
func issue(a *harness.Authority, name string) (cert, key []byte) {
	return harness.PEM(a.Issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}))
}

func tlsFiles(t *testing.T, a *harness.Authority) *listen.TLS {
	t.Helper()
	dir := t.TempDir()
	files := &listen.TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	cert, key := issue(a, "first")
	write(t, files.CertFile, cert)
	write(t, files.KeyFile, key)
	return files
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
	ca := harness.NewAuthority()
	_, addr := start(t, "127.0.0.1:0", Options{Checker: allowAll, TLS: tlsFiles(t, ca)})
	conn := dial(t, addr, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: ca.Pool()})))
	if check(t, conn, typicalRequest()).GetOkResponse() == nil {
		t.Error("denied")
	}
	_, err := authv3.NewAuthorizationClient(dial(t, addr)).Check(t.Context(), typicalRequest())
	if status.Code(err) != codes.Unavailable {
		t.Errorf("plaintext was answered with %v", err)
	}
	old := &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if _, err := serverName(t, addr, old); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestMutualTLS(t *testing.T) {
	ca, clients, others := harness.NewAuthority(), harness.NewAuthority(), harness.NewAuthority()
	files := tlsFiles(t, ca)
	files.ClientCAFile = filepath.Join(filepath.Dir(files.CertFile), "ca.crt")
	write(t, files.ClientCAFile, clients.PEM())
	_, addr := start(t, "127.0.0.1:0", Options{Checker: allowAll, TLS: files})
	with := func(a *harness.Authority) *tls.Config {
		cert, err := tls.X509KeyPair(issue(a, "envoy"))
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{cert}}
	}
	conn := dial(t, addr, grpc.WithTransportCredentials(credentials.NewTLS(with(clients))))
	if check(t, conn, typicalRequest()).GetOkResponse() == nil {
		t.Error("denied")
	}
	if _, err := serverName(t, addr, with(others)); err == nil {
		t.Error("a client certificate of another authority was accepted")
	}
	if _, err := serverName(t, addr, &tls.Config{RootCAs: ca.Pool()}); err == nil {
		t.Error("a client without certificate was accepted")
	}
	write(t, files.ClientCAFile, append(others.PEM(), '\n'))
	if _, err := serverName(t, addr, with(others)); err != nil {
		t.Errorf("the new client CA is not used: %v", err)
	}
	if _, err := serverName(t, addr, with(clients)); err == nil {
		t.Error("a client of the authority that was taken away was accepted")
	}
}

func TestTLSReload(t *testing.T) {
	ca := harness.NewAuthority()
	files := tlsFiles(t, ca)
	var log harness.Output
	_, addr := start(t, "127.0.0.1:0", Options{Checker: allowAll, TLS: files, Log: slog.New(slog.NewTextHandler(&log, nil))})
	expect := func(want string) {
		t.Helper()
		if got, err := serverName(t, addr, &tls.Config{RootCAs: ca.Pool()}); got != want {
			t.Errorf("certificate of %q, %v; want %q", got, err, want)
		}
	}
	expect("first")
	cert, key := issue(ca, "the second")
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
	ca := harness.NewAuthority()
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
