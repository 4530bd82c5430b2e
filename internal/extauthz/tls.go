package extauthz

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLS names the files that TLS is served with. They are looked at again at every handshake, and read again when one
// has changed; while they do not load, the last good ones stay in use.
type TLS struct {
	CertFile string // PEM, the leaf first
	KeyFile  string // PEM
	// ClientCAFile holds the PEM certificates of the authorities whose client certificates are required; empty asks
	// for none.
	ClientCAFile string
}

// config loads the files and returns a configuration that follows them.
func (t *TLS) config(log *slog.Logger) (*tls.Config, error) {
	r := &reloader{files: *t, log: log}
	r.version = r.stat()
	var err error
	if r.current, err = t.load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return r.latest(), nil
		},
	}, nil
}

// load reads the files.
func (t *TLS) load() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate %s with key %s: %w", t.CertFile, t.KeyFile, err)
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2"},
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
	return config, nil
}

// reloader keeps the last good configuration.
type reloader struct {
	files TLS
	log   *slog.Logger

	mu      sync.Mutex
	current *tls.Config
	version filesVersion
}

// filesVersion tells one state of the three files from another; an absent file is the zero time.
type filesVersion [3]struct {
	modified time.Time
	size     int64
}

func (r *reloader) stat() (v filesVersion) {
	for i, path := range []string{r.files.CertFile, r.files.KeyFile, r.files.ClientCAFile} {
		if info, err := os.Stat(path); err == nil {
			v[i].modified, v[i].size = info.ModTime(), info.Size()
		}
	}
	return v
}

// latest returns the configuration for a new connection.
func (r *reloader) latest() *tls.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	version := r.stat() // before reading: a change while reading is seen the next time
	if version == r.version {
		return r.current
	}
	r.version = version
	config, err := r.files.load()
	if err != nil {
		r.log.Error("TLS files have changed and do not load; the last good ones stay in use", slog.Any("error", err))
		return r.current
	}
	r.log.Info("TLS files reloaded")
	r.current = config
	return config
}
