package admin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/listen"
	adminv1 "github.com/postern-auth/postern/proto/postern/admin/v1"
	"github.com/postern-auth/postern/proto/postern/admin/v1/adminv1connect"
	"github.com/postern-auth/postern/test/harness"
)

// TestCallersFile shows what is said of each thing that can be wrong with a callers file.
func TestCallersFile(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	for text, want := range map[string]string{
		"":                             `callers.yaml: callers: nobody may call; list who may call, each with a name, a tokenDigest or a certificate, and roles`,
		"caller: []":                   `callers.yaml:1: caller: unknown field; known here: callers`,
		"callers: [" + rootToken + "]": `callers.yaml:1: callers[0]: the value is not a mapping; write one of its fields below it: name, tokenDigest, certificate, roles`,
		"callers: {}":                  `callers.yaml:1: callers: a mapping is not a list; write items that begin with '- '`,
		"callers:\n- name: ci\n  tokenDigest: " + rootToken + "\n  roles: [{role: viewer, namespaces: [shop]}]": "callers.yaml:3: callers[0].tokenDigest: it is not the digest of a token; write sha256:<64 hex>; make it with: printf %s \"$TOKEN\" | sha256sum",
		"callers:\n- tokenDigest: " + digest + "\n  certificate: {dns: ci}": `callers.yaml:2: callers[0].name: the caller has no name; write one line of up to 128 characters, for the record
callers.yaml:2: callers[0]: it is not clear how the caller proves itself; give it exactly one of tokenDigest and certificate
callers.yaml:2: callers[0].roles: the caller may do nothing; give it a role and the role's namespaces`,
		"callers:\n- {name: ci, certificate: {dns: ci}, roles: [{role: viewer, namespaces: [shop]}]}": "callers.yaml:2: callers[0].certificate: the admin API asks nobody for a certificate, so this caller could never call; " +
			"set admin.tls.clientCAFile to the CAs that sign callers' certificates, or give the caller a tokenDigest",
		"callers:\n- name: ci\n  certificate: {uri: a, dns: b}\n  roles:\n  - {role: boss}\n  - {role: admin, namespaces: [Shop]}": `callers.yaml:3: callers[0].certificate: it is not clear which name of the certificate counts; give exactly one of uri, dns and subject
callers.yaml:5: callers[0].roles[0].role: it is no role; write viewer, operator or admin
callers.yaml:5: callers[0].roles[0].namespaces: the role is for no namespace; list namespaces, or write "*" for all
callers.yaml:6: callers[0].roles[1].namespaces[0]: it is not the name of a namespace; use up to 63 lower-case letters, digits and inner hyphens, or "*" for all`,
		"callers:\n- {name: ci, tokenDigest: '" + digest + "', roles: [{role: admin, namespaces: ['*']}]}\n- {name: ci, tokenDigest: '" + digest + "', roles: [{role: admin, namespaces: ['*']}]}": `callers.yaml:3: callers[1].name: it is that of callers[0].name already; give each caller its own name
callers.yaml:3: callers[1].tokenDigest: it is that of callers[0].tokenDigest already; give each caller its own token`,
	} {
		_, err := parseCallers("callers.yaml", []byte(text), strings.Contains(text, "uri:"))
		if err == nil {
			t.Errorf("%s: accepted", text)
			continue
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		if strings.Contains(err.Error(), rootToken) {
			t.Error("an error shows a token")
		}
	}
}

// TestCallersReload takes a caller away, and keeps the last good file when it breaks.
func TestCallersReload(t *testing.T) {
	s := start(t, sqlite(t))
	may := func(token string) bool {
		t.Helper()
		_, err := s.apps(token).ListApps(t.Context(), &adminv1.ListAppsRequest{})
		if err != nil && connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Fatal(err)
		}
		return err == nil
	}
	replace := func(text string) {
		t.Helper()
		if err := os.WriteFile(s.callersFile+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(s.callersFile+".new", s.callersFile); err != nil {
			t.Fatal(err)
		}
	}
	if !may(viewerToken) || !may(rootToken) {
		t.Fatal("refused")
	}
	replace("callers: nobody")
	if !may(viewerToken) || !strings.Contains(s.log.String(), "the last good version stays in use") {
		t.Errorf("log:\n%s", s.log)
	}
	before, _, _ := strings.Cut(callersText(), "- name: shop-admin")
	replace(before)
	if may(viewerToken) || !may(rootToken) {
		t.Error("the new file is not in force")
	}
}

func TestRoles(t *testing.T) {
	both := roles{"shop": operator, everywhere: viewer}
	if both.in("shop") != operator || both.in("other") != viewer || both.in("") != operator || both.namespaces() != nil {
		t.Errorf("%v", both)
	}
	one := roles{"shop": viewer}
	if one.in("other") != nobody || len(one.namespaces()) != 1 {
		t.Errorf("%v", one)
	}
}

func writeFile(t *testing.T, path string, text []byte) string {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCertificates lets callers in by each kind of name in their client certificates.
func TestCertificates(t *testing.T) {
	ca, stranger, dir := harness.NewAuthority(), harness.NewAuthority(), t.TempDir()
	cert, key := harness.PEM(ca.Issue(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}))
	s := start(t, sqlite(t), func(o *Options) {
		o.TLS = &listen.TLS{
			CertFile:     writeFile(t, filepath.Join(dir, "tls.crt"), cert),
			KeyFile:      writeFile(t, filepath.Join(dir, "tls.key"), key),
			ClientCAFile: writeFile(t, filepath.Join(dir, "ca.crt"), ca.PEM()),
		}
		text := callersText()
		for name, certificate := range map[string]string{"uri": "uri: spiffe://cluster/ns/shop/sa/ci", "dns": "dns: ci.shop", "cn": "subject: ci"} {
			text += "- name: " + name + "\n  certificate: {" + certificate + "}\n  roles: [{role: viewer, namespaces: [shop]}]\n"
		}
		if err := os.WriteFile(o.CallersFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	spiffe, err := url.Parse("spiffe://cluster/ns/shop/sa/ci")
	if err != nil {
		t.Fatal(err)
	}
	const noHandshake = connect.CodeUnknown // the client may see it as one error or another, and has no answer
	for _, tc := range []struct {
		what  string
		cert  *tls.Certificate
		token string
		want  connect.Code // 0: let in
	}{
		{"a URI", new(ca.Issue(&x509.Certificate{URIs: []*url.URL{spiffe}})), "", 0},
		{"a DNS name", new(ca.Issue(&x509.Certificate{DNSNames: []string{"else", "ci.shop"}})), "", 0},
		{"a common name", new(ca.Issue(&x509.Certificate{Subject: pkix.Name{CommonName: "ci"}})), "", 0},
		{"names of two callers", new(ca.Issue(&x509.Certificate{Subject: pkix.Name{CommonName: "ci"}, DNSNames: []string{"ci.shop"}})), "", connect.CodeUnauthenticated},
		{"nobody's name", new(ca.Issue(&x509.Certificate{DNSNames: []string{"ci"}})), "", connect.CodeUnauthenticated},
		{"no certificate", nil, "", connect.CodeUnauthenticated},
		{"a token without certificate", nil, viewerToken, 0},
		{"a token beside nobody's certificate", new(ca.Issue(&x509.Certificate{DNSNames: []string{"ci"}})), viewerToken, 0},
		{"a wrong token beside a good certificate", new(ca.Issue(&x509.Certificate{DNSNames: []string{"ci.shop"}})), viewerToken + "x", connect.CodeUnauthenticated},
		{"a certificate of another authority", new(stranger.Issue(&x509.Certificate{DNSNames: []string{"ci.shop"}})), "", noHandshake},
	} {
		for _, http2 := range []bool{false, true} {
			config := &tls.Config{RootCAs: ca.Pool()}
			if tc.cert != nil { // also one that the server did not ask for
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tc.cert, nil }
			}
			transport := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols)}
			transport.Protocols.SetHTTP1(!http2)
			transport.Protocols.SetHTTP2(http2)
			client := adminv1connect.NewAppServiceClient(&http.Client{Transport: bearer{tc.token, transport}}, s.url)
			s.clock.advance(failureEvery)
			_, err := client.ListApps(t.Context(), &adminv1.ListAppsRequest{})
			transport.CloseIdleConnections()
			got := connect.CodeOf(err)
			if err == nil {
				got = 0
			} else if !connect.IsWireError(err) {
				got = noHandshake
			}
			if got != tc.want {
				t.Errorf("%s (HTTP/2: %v): %v", tc.what, http2, err)
			}
		}
	}
}

// TestCertificatesMustBeAskedFor has a caller with a certificate, and listeners that ask for none.
func TestCertificatesMustBeAskedFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "callers.yaml")
	text := "callers:\n- {name: ci, certificate: {dns: ci.shop}, roles: [{role: viewer, namespaces: [shop]}]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, tc := range map[string]struct {
		tls  *listen.TLS
		want string
	}{
		"no TLS":           {nil, "set admin.tls.clientCAFile"},
		"no authorities":   {&listen.TLS{CertFile: "/nowhere.crt", KeyFile: "/nowhere.key"}, "set admin.tls.clientCAFile"},
		"with authorities": {&listen.TLS{CertFile: "/nowhere.crt", KeyFile: "/nowhere.key", ClientCAFile: "/nowhere.ca"}, "/nowhere.crt"},
	} {
		_, err := New(Options{Store: start(t, sqlite(t)).store, Hasher: hasher, CallersFile: file, TLS: tc.tls})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestFailuresAreBounded shows how peers are told apart, and that no more are remembered than that.
func TestFailuresAreBounded(t *testing.T) {
	var c clock
	f := newFailures(c.now)
	for range failuresAtOnce {
		if wait := f.add("victim"); wait != 0 {
			t.Fatal(wait)
		}
	}
	if f.add("victim") == 0 {
		t.Error("one too many was let through")
	}
	for i := range maxPeers {
		f.add(big.NewInt(int64(i)).String())
	}
	if len(f.byPeer) != maxPeers || f.recent.Len() != maxPeers {
		t.Errorf("%d peers are remembered", len(f.byPeer))
	}
	for remote, want := range map[string][2]string{
		"192.0.2.1:5":              {"192.0.2.1", "192.0.2.1/32"},
		"[::ffff:192.0.2.1]:5":     {"192.0.2.1", "192.0.2.1/32"},
		"[2001:db8:1:2:3:4:5:6]:5": {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		"[fe80::1%eth0]:5":         {"fe80::1", "fe80::/64"},
		"@":                        {"unix", "unix"},
	} {
		if shown, counted := peerOf(remote); shown != want[0] || counted != want[1] {
			t.Errorf("%s is %s, counted as %s", remote, shown, counted)
		}
	}
}

// addressed is a listener that claims an address.
type addressed struct {
	net.Listener
	addr net.Addr
}

func (a addressed) Addr() net.Addr { return a.addr }

// TestServeRefuses shows that nothing in plain text is served to other machines.
func TestServeRefuses(t *testing.T) {
	s := start(t, sqlite(t))
	server, err := New(Options{Store: s.store, Hasher: hasher, CallersFile: s.callersFile})
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	err = server.Serve(addressed{lis, &net.TCPAddr{IP: net.IPv4zero, Port: 9002}})
	if err == nil || !strings.Contains(err.Error(), "would listen on 0.0.0.0:9002 without TLS") {
		t.Error(err)
	}
	if _, err := lis.Accept(); err == nil {
		t.Error("the listener is still open")
	}
	for addr, want := range map[net.Addr]bool{
		&net.TCPAddr{IP: net.IPv6loopback}: true, &net.TCPAddr{IP: net.IPv4(127, 9, 9, 9)}: true, &net.UnixAddr{Name: "/run/x"}: true,
		&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}: false, &net.TCPAddr{}: false, &net.UDPAddr{IP: net.IPv6loopback}: false,
	} {
		if local(addr) != want {
			t.Errorf("%v: %v", addr, !want)
		}
	}
	if _, err := New(Options{Store: s.store, Hasher: hasher}); err == nil {
		t.Error("a server without callers")
	}
	if _, err := New(Options{Store: s.store, Hasher: hasher, CallersFile: "/nowhere"}); err == nil {
		t.Error("a server whose callers cannot be read")
	}
}

// TestShutdown waits for a call under way, over HTTP/2 whose connection stays open.
func TestShutdown(t *testing.T) {
	s := start(t, sqlite(t))
	s.acme()
	inside, leave := make(chan struct{}), make(chan struct{})
	server, err := New(Options{Store: s.store, Hasher: hasher, CallersFile: s.callersFile, Declared: func(string, string) (string, bool) {
		close(inside)
		<-leave
		return "", false
	}})
	if err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served, called, stopped := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	client := adminv1connect.NewAppServiceClient(s.client(adminToken, true), "http://"+lis.Addr().String(), connect.WithGRPC())
	go func() {
		_, err := client.CreateApp(context.Background(), &adminv1.CreateAppRequest{App: &adminv1.App{Namespace: "shop", Name: "late"}})
		called <- err
	}()
	<-inside
	go func() { stopped <- server.Shutdown(context.Background()) }()
	if err := <-served; err != nil {
		t.Error(err)
	}
	close(leave)
	for what, c := range map[string]chan error{"the call": called, "Shutdown": stopped} {
		if err := <-c; err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
