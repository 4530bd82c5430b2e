package cli

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/authn/signature"
	"github.com/postern-auth/postern/internal/authz"
)

// signFlags are sign's own flags.
type signFlags struct {
	requestFlags

	keyID, secretFile, encoding, keyFile, algorithm string
	label, tag                                      string
	cover                                           []string
	expires                                         time.Duration
	nonce, send, explain                            bool
	connect                                         string
}

func newSign() *cobra.Command {
	f := &signFlags{}
	cmd := &cobra.Command{
		Use:   "sign URL",
		Short: "Sign a request with HTTP Message Signatures (RFC 9421)",
		Long: `Signs a request and prints it as a curl command, or sends it with --send. The key is a secret (--secret-file) for
hmac-sha256, or a private key in PEM (--key-file) for the asymmetric algorithms. Without --cover it signs method,
authority, path and query, and with a body also content-digest.`,
		Example: `  postern sign --key-id AK0123 --secret-file acme.secret https://orders.example.com/orders/1
  postern sign --key-id AK0123 --key-file acme.pem -X POST -d @order.json --send https://orders.example.com/orders`,
		Args: oneArg("the URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.keyID, "key-id", "", "keyid of the signature (required)")
	flags.StringVar(&f.secretFile, "secret-file", "", "file with the HMAC secret; one final newline is dropped")
	flags.StringVar(&f.encoding, "encoding", "Text", "how to read the secret: Text or Base64")
	flags.StringVar(&f.keyFile, "key-file", "", "file with the private key in PEM")
	flags.StringVar(&f.algorithm, "algorithm", "", "algorithm, also written as alg; default: the one that fits the key")
	flags.StringSliceVar(&f.cover, "cover", nil, "components to sign, such as @method or content-digest")
	flags.StringVar(&f.label, "label", "sig1", "label of the signature")
	flags.StringVar(&f.tag, "tag", "", "tag of the signature")
	flags.DurationVar(&f.expires, "expires", 0, "how long the signature is good; 0 leaves that to the server")
	flags.BoolVar(&f.nonce, "nonce", true, "add a random nonce, so that two equal requests in one second differ")
	flags.BoolVar(&f.send, "send", false, "send the request and print the answer")
	flags.StringVar(&f.connect, "connect", "", "with --send: host:port to connect to in place of the URL's")
	flags.BoolVar(&f.explain, "explain", false, "also print the text that was signed, on standard error")
	_ = cmd.MarkFlagFilename("secret-file")
	_ = cmd.MarkFlagFilename("key-file", "pem")
	return cmd
}

func (f *signFlags) run(cmd *cobra.Command, rawURL string) error {
	asJSON, err := wantsJSON(cmd)
	if err != nil {
		return err
	}
	q, err := f.read(cmd, rawURL)
	if err != nil {
		return err
	}
	key, err := f.key()
	if err != nil {
		return err
	}
	request := signature.SignRequest{
		Method: q.method, URL: rawURL, Headers: q.headers, Body: q.body,
		KeyID: f.keyID, Key: key, Algorithm: f.algorithm,
		Label: f.label, Cover: f.cover, Tag: f.tag, Created: time.Now(),
	}
	if f.expires > 0 {
		request.Expires = request.Created.Add(f.expires)
	}
	if f.nonce {
		request.Nonce = rand.Text()
	}
	signed, err := signature.Sign(request)
	if err != nil {
		return &usageError{err}
	}
	if f.explain {
		fmt.Fprintf(cmd.ErrOrStderr(), "signed text:\n%s\n\n", signed.Base)
	}
	switch {
	case f.send:
		return f.post(cmd, q, rawURL, signed.Headers)
	case asJSON:
		headers := map[string]string{}
		for _, h := range signed.Headers {
			headers[h.Name] = h.Value
		}
		return printJSON(cmd.OutOrStdout(), struct {
			Headers map[string]string `json:"headers"`
			Base    string            `json:"base"`
		}{headers, signed.Base})
	default:
		_, err = fmt.Fprintln(cmd.OutOrStdout(), q.curl(rawURL, signed.Headers))
		return err
	}
}

// key reads the one key that the flags name.
func (f *signFlags) key() (any, error) {
	switch {
	case f.keyID == "":
		return nil, usagef("--key-id is required: it tells the server which key to verify with")
	case (f.secretFile == "") == (f.keyFile == ""):
		return nil, usagef("name one key: --secret-file for HMAC, or --key-file for a private key")
	case f.keyFile != "":
		text, err := os.ReadFile(f.keyFile)
		if err != nil {
			return nil, usagef("--key-file: %w", err)
		}
		key, err := signature.ParsePrivateKey(text)
		if err != nil {
			return nil, usagef("--key-file %s: %w", f.keyFile, err)
		}
		return key, nil
	}
	text, err := os.ReadFile(f.secretFile)
	if err != nil {
		return nil, usagef("--secret-file: %w", err)
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch f.encoding {
	case "Text":
	case "Base64":
		raw, err := base64.StdEncoding.DecodeString(secret)
		if err != nil {
			return nil, usagef("--secret-file %s is not standard base64; leave --encoding out to read it as text", f.secretFile)
		}
		secret = string(raw)
	default:
		return nil, usagef("--encoding %q: must be Text or Base64", f.encoding)
	}
	return authz.Secret(secret), nil
}

// post sends the signed request and prints status, headers and body.
func (f *signFlags) post(cmd *cobra.Command, q *described, rawURL string, signed []authz.Header) error {
	request, err := http.NewRequestWithContext(cmd.Context(), q.method, rawURL, strings.NewReader(string(q.body)))
	if err != nil {
		return &usageError{err}
	}
	for _, h := range slices.Concat(q.headers, signed) {
		if strings.EqualFold(h.Name, "host") {
			request.Host = h.Value
			continue
		}
		request.Header.Add(h.Name, h.Value)
	}
	if f.connect != "" {
		request.Host = q.url.Host
		request.URL.Host = f.connect
	}
	client := http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s %s\n", answer.Proto, answer.Status)
	if err := answer.Header.Write(out); err != nil {
		return err
	}
	fmt.Fprintln(out)
	_, err = io.Copy(out, answer.Body)
	return err
}
