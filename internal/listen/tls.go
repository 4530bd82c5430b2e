package listen

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"github.com/postern-auth/postern/internal/reload"
)

// TLS names the files that TLS is served with. They are looked at again at every handshake, and read again when one
// has changed; while they do not load, the last good ones stay in use.
type TLS struct {
	CertFile string // PEM, the leaf first
	KeyFile  string // PEM
	// ClientCAFile holds the PEM certificates of the authorities whose client certificates are required; empty asks
	// for none.
	ClientCAFile string
	// ClientsWithout lets clients in that show no certificate. One that is shown is verified all the same.
	ClientsWithout bool
}

// Config loads the files and returns a configuration that follows them, for the protocols (of ALPN), the preferred
// first.
func (t *TLS) Config(log *slog.Logger, protocols ...string) (*tls.Config, error) {
	load := func() (*tls.Config, error) { return t.load(protocols) }
	latest, err := reload.New("TLS files", load, log, t.CertFile, t.KeyFile, t.ClientCAFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return latest.Latest(), nil
		},
	}, nil
}

// load reads the files.
func (t *TLS) load(protocols []string) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate %s with key %s: %w", t.CertFile, t.KeyFile, err)
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   protocols,
		Certificates: []tls.Certificate{cert},
		// A ticket would let a client back in that the authorities of today do not vouch for.
		SessionTicketsDisabled: true,
	}
	if t.ClientCAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(t.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("TLS client CA: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("TLS client CA %s: the file holds no PEM certificate", t.ClientCAFile)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	if t.ClientsWithout {
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return config, nil
}
