package cli

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/authz"
)

// requestFlags describe a request as curl's flags do.
type requestFlags struct {
	method  string
	headers []string
	data    string
}

func (f *requestFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.method, "request", "X", "", "method; default GET, or POST with a body")
	cmd.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "header as 'Name: value'; may be repeated")
	cmd.Flags().StringVarP(&f.data, "data", "d", "", "body; @FILE reads a file, @- standard input")
}

// described is a request as the flags and the URL say it.
type described struct {
	method  string
	url     *url.URL
	headers []authz.Header // names as given
	body    []byte
}

func (f *requestFlags) read(cmd *cobra.Command, rawURL string) (*described, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usagef("%q is not an http or https URL; write one such as https://orders.example.com/orders/1", rawURL)
	}
	q := &described{method: f.method, url: u}
	for i, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" { // not repeated in the message: it may hold a key
			return nil, usagef("--header: number %d has no name and colon; write it as 'Name: value'", i+1)
		}
		q.headers = append(q.headers, authz.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	if q.body, err = f.body(cmd); err != nil {
		return nil, err
	}
	if q.method == "" {
		q.method = "GET"
		if cmd.Flags().Changed("data") {
			q.method = "POST"
		}
	}
	return q, nil
}

func (f *requestFlags) body(cmd *cobra.Command) ([]byte, error) {
	file, isFile := strings.CutPrefix(f.data, "@")
	switch {
	case !isFile:
		return []byte(f.data), nil
	case file == "-":
		return io.ReadAll(cmd.InOrStdin())
	default:
		body, err := os.ReadFile(file)
		if err != nil {
			return nil, usagef("--data: %w; name a readable file, or leave out the '@' to send the text itself", err)
		}
		return body, nil
	}
}

// request turns the description into what Envoy would hand over. The path and query are taken from the URL's text, so
// that nothing is tidied on the way.
func (q *described) request(rawURL string) *authz.Request {
	_, rest, _ := strings.Cut(rawURL, "://")
	target := ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		target = rest[i:]
	}
	r := &authz.Request{
		Method:     q.method,
		Scheme:     q.url.Scheme,
		Host:       q.url.Host,
		Protocol:   "HTTP/1.1",
		RawHeaders: true,
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(target, "?")
	for _, h := range q.headers {
		name := strings.ToLower(h.Name)
		if name == "host" {
			r.Host = h.Value
			continue
		}
		r.Headers = append(r.Headers, authz.Header{Name: name, Value: h.Value})
	}
	if len(q.body) > 0 {
		if _, n := r.Header("content-length"); n == 0 {
			r.Headers = append(r.Headers, authz.Header{Name: "content-length", Value: strconv.Itoa(len(q.body))})
		}
		r.Body.Bytes = q.body
	}
	return r
}

// curl prints the request as a command to paste.
func (q *described) curl(rawURL string, extra []authz.Header) string {
	var b strings.Builder
	b.WriteString("curl -sS")
	if q.method != "GET" {
		fmt.Fprintf(&b, " -X %s", shellQuote(q.method))
	}
	for _, h := range slices.Concat(q.headers, extra) {
		fmt.Fprintf(&b, " \\\n  -H %s", shellQuote(h.Name+": "+h.Value))
	}
	if len(q.body) > 0 {
		fmt.Fprintf(&b, " \\\n  --data-binary %s", shellQuote(string(q.body)))
	}
	fmt.Fprintf(&b, " \\\n  %s", shellQuote(rawURL))
	return b.String()
}

// shellQuote makes one word of s for a POSIX shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
