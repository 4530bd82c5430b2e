package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/listen"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/source"
)

// everybody lets everybody in.
const everybody = `
apiVersion: postern.dev/v1alpha1
kind: AuthPolicy
metadata: {name: shop}
spec: {hosts: [shop.test], security: [{}]}
`

// TestReadiness: until the first load nothing is allowed, and everybody who asks is told so.
func TestReadiness(t *testing.T) {
	i, err := assemble(t, map[string]string{"shop.yaml": everybody})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.parts.close)
	var served []<-chan error
	for address, serve := range map[config.Address]func(net.Listener) error{
		i.cfg.Ops.Address: i.ops.Serve, i.cfg.ExtAuthz.Address: i.authz.Serve,
	} {
		l, err := listen.On(string(address))
		if err != nil {
			t.Fatal(err)
		}
		end := make(chan error, 1)
		go func() { end <- serve(l) }()
		served = append(served, end)
	}
	i.connect(grpc.WithTransportCredentials(insecure.NewCredentials()))
	expect := func(ready int, health string, status int) {
		t.Helper()
		code, body := i.get("/readyz")
		a, err := i.ask(t.Context(), nil)
		if code != ready || i.health() != health || a.status != status || err != nil {
			t.Errorf("/readyz %d %s, health %s, check %v %v; want %d, %s, %d", code, body, i.health(), a, err, ready, health, status)
		}
		if code, _ := i.get("/healthz"); code != http.StatusOK {
			t.Errorf("/healthz %d", code)
		}
	}
	expect(http.StatusServiceUnavailable, "NOT_SERVING", http.StatusServiceUnavailable)
	snap, err := source.ReadDir(i.dir)
	if err != nil {
		t.Fatal(err)
	}
	i.load(snap, func(err error) { t.Errorf("stopped: %v", err) })
	expect(http.StatusOK, "SERVING", http.StatusOK)
	if err := i.drain(); err != nil {
		t.Error(err)
	}
	for _, end := range served {
		if err := <-end; err != nil {
			t.Error(err)
		}
	}
}

// TestBadStart: what is wrong at the start is returned, and nothing is left open.
func TestBadStart(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"decode": {strings.Replace(everybody, "hosts", "host", 1), `shop.yaml:5: AuthPolicy default/shop: spec.host: unknown field; did you mean hosts?
shop.yaml:5: AuthPolicy default/shop: spec.hosts: is missing; name the hosts that the policy is for, or its targetRefs`},
		"compile": {strings.Replace(everybody, "{}", "{login: []}", 1), `shop.yaml:5: AuthPolicy default/shop: spec.security[0].login: there is no usable AuthScheme "login" in namespace default or postern-system; create the AuthScheme or correct the name`},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := assemble(t, map[string]string{"shop.yaml": c.file})
			if err != nil {
				t.Fatal(err)
			}
			err = i.Run(t.Context())
			var errs v1alpha1.Errors
			if !errors.As(err, &errs) || len(errs) == 0 || errs[0].File != filepath.Join(i.dir, "shop.yaml") {
				t.Fatalf("got %v", err)
			}
			if got := strings.ReplaceAll(err.Error(), i.dir+"/", ""); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if _, err := os.Stat(strings.TrimPrefix(string(i.cfg.ExtAuthz.Address), "unix://")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket is still there: %v", err)
			}
		})
	}
	t.Run("no directory", func(t *testing.T) {
		i, err := assemble(t, nil, func(c *config.Config) { c.Resources.Dir += "-absent" })
		if err != nil {
			t.Fatal(err)
		}
		var errs v1alpha1.Errors
		if err := i.Run(t.Context()); !errors.As(err, &errs) || !strings.HasSuffix(err.Error(), "; make the directory readable, or name another with --resources") {
			t.Errorf("got %v", err)
		}
	})
}

// TestListen: an address that cannot be had is an error that names the field.
func TestListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	address := config.Address(taken.Addr().String())
	for field, edit := range map[string]func(*config.Config){
		"extauthz.address": func(c *config.Config) { c.ExtAuthz.Address = address },
		"ops.address":      func(c *config.Config) { c.Ops.Address = address },
	} {
		i, err := assemble(t, map[string]string{"shop.yaml": everybody}, edit)
		if err != nil {
			t.Fatal(err)
		}
		want := field + ": listen tcp " + string(address) + ": bind: address already in use"
		if err := i.Run(t.Context()); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

// TestNew: what the configuration names and is not there is an error that names the field.
func TestNew(t *testing.T) {
	for want, edit := range map[string]func(c *config.Config, path string){
		"keystore.pepperFile: open PATH: no such file or directory": func(c *config.Config, path string) { c.KeyStore.PepperFile = path },
		"extauthz: TLS certificate PATH with key PATH: open PATH: no such file or directory": func(c *config.Config, path string) {
			c.ExtAuthz.TLS = config.TLS{CertFile: path, KeyFile: path}
		},
	} {
		path := filepath.Join(t.TempDir(), "absent")
		_, err := assemble(t, nil, func(c *config.Config) { edit(c, path) })
		if err == nil || strings.ReplaceAll(err.Error(), path, "PATH") != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestTLS(t *testing.T) {
	certificate, key, pool := newCertificate()
	dir := t.TempDir()
	tls := config.TLS{CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}
	writeFile(t, tls.CertFile, certificate)
	writeFile(t, tls.KeyFile, key)
	i := start(t, map[string]string{"shop.yaml": everybody}, func(c *config.Config) { c.ExtAuthz.TLS = tls })
	if a, err := i.ask(t.Context(), nil); err == nil {
		t.Errorf("plaintext was answered %v", a)
	}
	i.connect(grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(pool, "postern.test")))
	if a, err := i.ask(t.Context(), nil); err != nil || a.status != http.StatusOK {
		t.Errorf("%v, %v", a, err)
	}
}

// TestDrain: readiness goes first, a check under way is answered, and Run returns nil.
func TestDrain(t *testing.T) {
	jwks := newKeyServer(t)
	i := start(t, map[string]string{"shop.yaml": everybody + "---" + loginScheme("login", jwks.URL) + "---" + loginPolicy},
		func(c *config.Config) { c.Limits.Deadline = 1e9 })
	if a, err := i.ask(t.Context(), nil); err != nil || a.status != http.StatusOK {
		t.Fatalf("%v, %v", a, err)
	}
	type outcome struct {
		a   answer
		err error
	}
	answered := make(chan outcome, 1)
	go func() {
		a, err := i.ask(context.Background(), map[string]string{"authorization": "Bearer " + unverifiable, "x-env": "login"})
		answered <- outcome{a, err}
	}()
	i.await("asked", func() bool { return jwks.waiting.Load() > 0 })
	i.stop()
	i.await("unready", func() bool { return i.health() == "NOT_SERVING" })
	if code, _ := i.get("/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz %d", code)
	}
	i.await("gone away", func() bool { return i.conn.GetState() != connectivity.Ready })
	close(jwks.release)
	if got := <-answered; got.err != nil {
		t.Errorf("the check under way was dropped: %v", got.err)
	}
	if <-i.ended; i.err != nil {
		t.Errorf("Run: %v", i.err)
	}
}
