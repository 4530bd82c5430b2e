package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/authz"
	"github.com/postern-auth/postern/proto/postern/admin/v1/adminv1connect"
)

// defaultServer is where a server beside the command listens if nothing says otherwise.
const defaultServer = "http://127.0.0.1:9002"

// callTimeout bounds one call of the admin API.
const callTimeout = 30 * time.Second

// connection says where the admin API is, and who calls it. Each value comes from its flag, else from the environment,
// else from the context.
type connection struct {
	contextName string
	at          endpoint
}

func (c *connection) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.at.Server, "server", "", "the admin API, http(s)://host:port or unix:///path; $POSTERN_SERVER; "+defaultServer)
	f.StringVar(&c.at.TokenFile, "token-file", "", "file with the bearer token; $POSTERN_TOKEN_FILE")
	f.StringVar(&c.at.CAFile, "ca-file", "", "CAs in PEM that vouch for the server, instead of the system's; $POSTERN_CA_FILE")
	f.StringVar(&c.at.CertFile, "cert-file", "", "certificate chain in PEM to show to the server; $POSTERN_CERT_FILE")
	f.StringVar(&c.at.KeyFile, "key-file", "", "its private key in PEM; $POSTERN_KEY_FILE")
	f.StringVar(&c.contextName, "context", "", "name of the context that says the rest; $POSTERN_CONTEXT, or the file's current one")
	f.StringVarP(&c.at.Namespace, "namespace", "n", "", "namespace of the App; $POSTERN_NAMESPACE, or the context's, or default")
	for _, name := range []string{"token-file", "ca-file", "cert-file", "key-file"} {
		_ = cmd.MarkFlagFilename(name)
	}
	_ = cmd.RegisterFlagCompletionFunc("context", completeContexts)
}

// resolve fills in what no flag says.
func (c *connection) resolve() error {
	file, err := readContexts()
	if err != nil {
		return err
	}
	chosen, err := file.choose(cmp.Or(c.contextName, os.Getenv("POSTERN_CONTEXT")))
	if err != nil {
		return err
	}
	fill := func(value *string, variable, fromContext, standard string) {
		*value = cmp.Or(*value, os.Getenv(variable), fromContext, standard)
	}
	fill(&c.at.Server, "POSTERN_SERVER", chosen.Server, defaultServer)
	fill(&c.at.TokenFile, "POSTERN_TOKEN_FILE", chosen.TokenFile, "")
	fill(&c.at.CAFile, "POSTERN_CA_FILE", chosen.CAFile, "")
	fill(&c.at.CertFile, "POSTERN_CERT_FILE", chosen.CertFile, "")
	fill(&c.at.KeyFile, "POSTERN_KEY_FILE", chosen.KeyFile, "")
	fill(&c.at.Namespace, "POSTERN_NAMESPACE", chosen.Namespace, "default")
	return nil
}

// clients are those of the admin API's services.
type clients struct {
	apps  adminv1connect.AppServiceClient
	keys  adminv1connect.KeyServiceClient
	usage adminv1connect.UsageServiceClient
	audit adminv1connect.AuditServiceClient
}

// dial makes the clients. Nothing is connected before the first call.
func (c *connection) dial() (*clients, error) {
	if err := c.resolve(); err != nil {
		return nil, err
	}
	transport, base, err := c.at.transport()
	if err != nil {
		return nil, err
	}
	token, err := c.at.token()
	if err != nil {
		return nil, err
	}
	if token != "" && !c.at.isPrivate(base) {
		return nil, usagef("--server %s: a token would be sent in plain text: use https", c.at.Server)
	}
	client := &http.Client{
		Transport: transport, Timeout: callTimeout,
		// The admin API redirects nobody, and a token must not follow somebody who does.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	with := connect.WithInterceptors(bearer(token), again{})
	return &clients{
		apps:  adminv1connect.NewAppServiceClient(client, base.String(), with),
		keys:  adminv1connect.NewKeyServiceClient(client, base.String(), with),
		usage: adminv1connect.NewUsageServiceClient(client, base.String(), with),
		audit: adminv1connect.NewAuditServiceClient(client, base.String(), with),
	}, nil
}

// transport returns what carries calls, and the address that they name.
func (e *endpoint) transport() (*http.Transport, *url.URL, error) {
	t := http.DefaultTransport.(*http.Transport).Clone() // it is one unless somebody replaced it, and nobody does
	if path, ok := strings.CutPrefix(e.Server, "unix://"); ok {
		t.Proxy = nil // it is on this machine
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		return t, &url.URL{Scheme: "http", Host: "postern"}, nil
	}
	base, err := url.Parse(e.Server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, nil, usagef("--server %q: write http://host:port, https://host:port or unix:///path", e.Server)
	}
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if e.CAFile != "" {
		pem, err := os.ReadFile(e.CAFile)
		if err != nil {
			return nil, nil, usagef("--ca-file: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, nil, usagef("--ca-file %s: holds no certificate in PEM", e.CAFile)
		}
	}
	if e.CertFile != "" || e.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(e.CertFile, e.KeyFile)
		if err != nil {
			return nil, nil, usagef("--cert-file, --key-file: %w", err)
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	return t, base, nil
}

// isPrivate reports whether nobody on the way can read what is sent.
func (e *endpoint) isPrivate(base *url.URL) bool {
	if base.Scheme == "https" || strings.HasPrefix(e.Server, "unix://") || base.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(base.Hostname())
	return err == nil && ip.IsLoopback()
}

func (e *endpoint) token() (authz.Secret, error) {
	if e.TokenFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(e.TokenFile)
	if err != nil {
		return "", usagef("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", usagef("--token-file %s: is empty", e.TokenFile)
	}
	return authz.Secret(token), nil
}

// bearer adds the token to calls.
func bearer(token authz.Secret) connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
			if token != "" {
				r.Header().Set("Authorization", "Bearer "+token.Reveal())
			}
			return next(ctx, r)
		}
	}
}

// again repeats calls that did not reach the server, or whose answer was lost. That is harmless: writes carry a request
// id.
type again struct{}

const (
	attempts = 3
	pause    = 200 * time.Millisecond
)

// WrapUnary implements [connect.Interceptor].
func (again) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (answer connect.AnyResponse, err error) {
		for i := range attempts {
			if i > 0 {
				select {
				case <-ctx.Done():
					return nil, err
				case <-time.After(pause << (i - 1)):
				}
			}
			if answer, err = next(ctx, r); err == nil || connect.CodeOf(err) != connect.CodeUnavailable {
				break
			}
		}
		return answer, err
	}
}

// WrapStreamingClient implements [connect.Interceptor]; there are no streams.
func (again) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements [connect.Interceptor]; there are no streams.
func (again) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// explained says what to do about an error of the admin API.
func (c *connection) explained(err error) error {
	var refused *connect.Error
	if !errors.As(err, &refused) {
		return err
	}
	message := plain(refused.Message())
	switch code := refused.Code(); {
	case code == connect.CodeUnavailable && !connect.IsWireError(err): // the server has not said so
		return fmt.Errorf("%s cannot be reached: %s; name the admin API with --server, $POSTERN_SERVER or a context", c.at.Server, message)
	case code == connect.CodeUnauthenticated:
		return fmt.Errorf("%s does not know the caller: %s; give a token with --token-file or a certificate with --cert-file and --key-file", c.at.Server, message)
	default:
		return fmt.Errorf("%s: %s", strings.ReplaceAll(code.String(), "_", " "), message)
	}
}
