package jwt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits of a fetch.
const (
	fetchTimeout = 5 * time.Second
	maxDocument  = 1 << 20
)

// web fetches documents. It follows no redirect, knows no proxy, opens a connection for each document and connects
// only where dial.go lets it. Proxy variables of the environment are ignored on purpose: a proxy would choose the
// address, and then nobody could check it.
type web struct {
	secure   *http.Client // https
	loopback *http.Client // plain http, which never leaves the machine
}

// newWeb trusts the roots, the system's if nil.
func newWeb(roots *x509.CertPool) *web {
	client := func(allowed func(netip.Addr) error) *http.Client {
		return &http.Client{
			Transport: &http.Transport{
				DialContext:            dialer(allowed).DialContext,
				TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
				DisableKeepAlives:      true,
				DisableCompression:     true,
				MaxResponseHeaderBytes: 64 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &web{secure: client(notMetadata), loopback: client(onlyLoopback)}
}

// document is what an address answered with, and for how long that may be taken for current; 0 if nothing was said.
type document struct {
	body   []byte
	maxAge time.Duration
}

// get fetches an address that checkAddress lets pass. Its errors do not show the address's query.
func (w *web) get(ctx context.Context, address string) (*document, error) {
	u, err := checkAddress(address)
	if err != nil {
		return nil, err
	}
	client := w.secure
	if u.Scheme == "http" {
		client = w.loopback
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	req.Header.Set("User-Agent", "postern")
	resp, err := client.Do(req)
	if err != nil {
		if withAddress, ok := errors.AsType[*url.Error](err); ok {
			err = withAddress.Err
		}
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered with status %d; redirects are not followed", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxDocument {
		return nil, fmt.Errorf("answered with more than %d bytes", maxDocument)
	}
	return &document{body: body, maxAge: maxAge(resp.Header)}, nil
}

var (
	errAddress  = errors.New("not an absolute https address")
	errPlain    = errors.New("plain http is for loopback addresses only")
	errUserInfo = errors.New("the address holds a user or a fragment")
)

// checkAddress accepts https, and plain http to localhost or a loopback address.
func checkAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errAddress
	case u.User != nil || u.Fragment != "":
		return nil, errUserInfo
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, errPlain
	}
	return u, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || strings.EqualFold(host, "localhost")
}

// maxAge reads Cache-Control (RFC 9111 section 5.2.2). no-store and no-cache are one nanosecond: as soon as may be.
func maxAge(h http.Header) time.Duration {
	age := time.Duration(0)
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			directive = strings.ToLower(strings.Trim(directive, " \t"))
			if directive == "no-store" || directive == "no-cache" {
				return 1
			}
			text, ok := strings.CutPrefix(directive, "max-age=")
			if !ok {
				continue
			}
			if seconds, err := strconv.ParseUint(strings.Trim(text, `"`), 10, 31); err == nil {
				age = max(time.Duration(seconds)*time.Second, 1)
			}
		}
	}
	return age
}
