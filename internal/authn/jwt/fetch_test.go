package jwt

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serveTLS is an https server and a web that trusts it.
func serveTLS(t *testing.T, h http.HandlerFunc) (*httptest.Server, *web) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, newWeb(trusting(server))
}

func trusting(server *httptest.Server) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return roots
}

func TestGet(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, Max-Age=600")
		_, _ = io.WriteString(w, r.Header.Get("Accept"))
	}
	secure, trusted := serveTLS(t, h)
	plain := httptest.NewServer(http.HandlerFunc(h))
	t.Cleanup(plain.Close)
	for _, address := range []string{secure.URL, plain.URL, strings.Replace(plain.URL, "127.0.0.1", "localhost", 1)} {
		doc, err := trusted.get(t.Context(), address)
		if err != nil || !strings.Contains(string(doc.body), "json") || doc.maxAge != 10*time.Minute {
			t.Errorf("%s: got %+v, %v", address, doc, err)
		}
	}
}

// TestGetRefuses meets what an issuer, or whoever answers in its place, can do to those who fetch its keys.
func TestGetRefuses(t *testing.T) {
	var reached atomic.Bool // what must not happen
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	t.Cleanup(elsewhere.Close)
	released := make(chan struct{})
	secure, trusted := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		case "/giant":
			chunk := make([]byte, 1<<20)
			for range 100 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 100<<10))
		case "/hang":
			select {
			case <-r.Context().Done():
			case <-released:
			}
			panic(http.ErrAbortHandler) // returning would answer 200, which may still overtake the client's deadline
		case "/drip":
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
			}
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{}")
		case "/error":
			http.Error(w, `{"keys":[]}`, http.StatusInternalServerError)
		}
	})
	defer close(released)
	closed := httptest.NewServer(nil)
	closed.Close()

	for name, c := range map[string]struct {
		web     *web
		address string
		want    string
	}{
		"redirect":          {trusted, secure.URL + "/redirect", "answered with status 302; redirects are not followed"},
		"giant":             {trusted, secure.URL + "/giant", "answered with more than 1048576 bytes"},
		"giant header":      {trusted, secure.URL + "/header", "header"},
		"hang":              {trusted, secure.URL + "/hang", "deadline exceeded"},
		"drip":              {trusted, secure.URL + "/drip", ""},
		"cut":               {trusted, secure.URL + "/cut", "unexpected EOF"},
		"error":             {trusted, secure.URL + "/error", "answered with status 500"},
		"unknown authority": {newWeb(x509.NewCertPool()), secure.URL, "certificate"},
		"another name":      {trusted, strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), "certificate"},
		"down":              {trusted, closed.URL, "refused"},
		"metadata":          {trusted, "https://169.254.169.254/latest/meta-data", "connections to 169.254.169.254 are refused: no issuer has such an address"},
		"metadata, mapped":  {trusted, "https://[::ffff:169.254.169.254]/", "connections to 169.254.169.254 are refused"},
		"unspecified":       {trusted, "https://0.0.0.0/", "connections to 0.0.0.0 are refused"},
		"plain":             {trusted, "http://10.0.0.1/keys", "plain http is for loopback addresses only"},
		"plain name":        {trusted, "http://localhost.evil.example/keys", "plain http is for loopback addresses only"},
		"file":              {trusted, "file:///etc/passwd", "not an absolute https address"},
		"relative":          {trusted, "/keys", "not an absolute https address"},
		"nothing":           {trusted, "", "not an absolute https address"},
		"user":              {trusted, "https://user:secret@login.example.com/", "the address holds a user or a fragment"},
		"fragment":          {trusted, "https://login.example.com/#x", "the address holds a user or a fragment"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if c.want == "deadline exceeded" {
				ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			}
			defer cancel()
			doc, err := c.web.get(ctx, c.address+"?token=secret-canary")
			if c.address == "" {
				doc, err = c.web.get(ctx, "")
			}
			if doc != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v, want %s", doc, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells too much: %v", err)
			}
		})
	}
	if reached.Load() {
		t.Error("a redirect was followed")
	}
}

// TestNoProxy: variables of the environment do not lead a fetch elsewhere.
func TestNoProxy(t *testing.T) {
	var reached atomic.Bool
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	t.Cleanup(proxy.Close)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	_, err := newWeb(nil).get(t.Context(), "https://169.254.169.254/")
	if err == nil || !strings.Contains(err.Error(), "are refused") || reached.Load() {
		t.Errorf("got %v, the proxy was asked: %v", err, reached.Load())
	}
}

func TestAddresses(t *testing.T) {
	for address, c := range map[string]struct{ secure, loopback bool }{
		"93.184.216.34":          {true, false},
		"10.1.2.3":               {true, false},
		"192.168.0.1":            {true, false},
		"100.64.0.1":             {true, false},
		"fd12::1":                {true, false},
		"2606:4700::1":           {true, false},
		"127.0.0.1":              {true, true},
		"127.8.8.8":              {true, true},
		"::1":                    {true, true},
		"::ffff:127.0.0.1":       {true, true},
		"169.254.169.254":        {false, false},
		"169.254.0.1":            {false, false},
		"::ffff:169.254.169.254": {false, false},
		"64:ff9b::a9fe:a9fe":     {false, false},
		"64:ff9b:1::a9fe:a9fe":   {false, false},
		"2002:a9fe:a9fe::1":      {false, false},
		"::169.254.169.254":      {false, false},
		"64:ff9b::5db8:d822":     {true, false},
		"fe80::1":                {false, false},
		"fe80::1%eth0":           {false, false},
		"fd00:ec2::254":          {false, false},
		"fd20:ce::254":           {false, false},
		"fd00:ec2::254%eth0":     {false, false},
		"100.100.100.200":        {false, false},
		"168.63.129.16":          {false, false},
		"192.0.0.192":            {false, false},
		"224.0.0.1":              {false, false},
		"ff02::1":                {false, false},
		"0.0.0.0":                {false, false},
		"::":                     {false, false},
		"255.255.255.255":        {false, false},
	} {
		at := net.JoinHostPort(address, "443")
		for name, check := range map[string]struct {
			allowed func(netip.Addr) error
			want    bool
		}{"secure": {notMetadata, c.secure}, "loopback": {onlyLoopback, c.loopback}} {
			if err := dialer(check.allowed).Control("tcp", at, nil); (err == nil) != check.want {
				t.Errorf("%s, %s: %v", address, name, err)
			}
		}
	}
	if dialer(notMetadata).Control("unix", "/run/socket", nil) == nil {
		t.Error("a socket is no address")
	}
}

func TestMaxAge(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"":                             0,
		"public":                       0,
		"max-age=60":                   time.Minute,
		`private, max-age="60"`:        time.Minute,
		"max-age=0":                    1,
		"max-age=-1":                   0,
		"max-age=99999999999999999999": 0,
		"max-age=60, no-cache":         1,
		"no-store":                     1,
		"s-maxage=5,MAX-AGE=7":         7 * time.Second,
	} {
		if got := maxAge(http.Header{"Cache-Control": {value}}); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

func TestDiscovery(t *testing.T) {
	for name, c := range map[string]struct{ metadata, want string }{
		"good":           {`{"issuer":"https://a.example/t","jwks_uri":"https://keys.example/"}`, ""},
		"loopback":       {`{"issuer":"https://a.example/t","jwks_uri":"http://127.0.0.1:8/"}`, "jwks_uri: plain http is for issuers that are themselves"},
		"other issuer":   {`{"issuer":"https://b.example/t","jwks_uri":"https://keys.example/"}`, "another issuer's"},
		"issuer slash":   {`{"issuer":"https://a.example/t/","jwks_uri":"https://keys.example/"}`, "another issuer's"},
		"no issuer":      {`{"jwks_uri":"https://keys.example/"}`, "another issuer's"},
		"issuer twice":   {`{"issuer":"https://a.example/t","issuer":"x","jwks_uri":"https://keys.example/"}`, "stands twice"},
		"no address":     {`{"issuer":"https://a.example/t"}`, "jwks_uri: not an absolute https address"},
		"plain address":  {`{"issuer":"https://a.example/t","jwks_uri":"http://keys.example/"}`, "jwks_uri: plain http"},
		"address number": {`{"issuer":"https://a.example/t","jwks_uri":7}`, "jwks_uri: not an absolute"},
		"HTML":           {`<html>`, "not one JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := keySetAddress([]byte(c.metadata), "https://a.example/t")
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || (got == "") != (err != nil) {
				t.Errorf("got %q, %v, want %s", got, err, c.want)
			}
		})
	}
	const local = `{"issuer":"http://localhost:9","jwks_uri":"http://127.0.0.1:9/keys"}`
	if got, err := keySetAddress([]byte(local), "http://localhost:9"); err != nil || got != "http://127.0.0.1:9/keys" {
		t.Errorf("an issuer on this machine: got %q, %v", got, err)
	}
	for issuer, want := range map[string]string{
		"https://a.example":    "https://a.example/.well-known/openid-configuration",
		"https://a.example/":   "https://a.example/.well-known/openid-configuration",
		"https://a.example/t":  "https://a.example/t/.well-known/openid-configuration",
		"https://a.example/t/": "https://a.example/t/.well-known/openid-configuration",
	} {
		if got := metadataAddress(issuer); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
