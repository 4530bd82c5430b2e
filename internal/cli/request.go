package cli

import (
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
	method   string
	raw      string // the URL as given
	url      *url.URL
	headers  []authz.Header // names as given
	body     []byte
	bodyFile string // where it was read from; empty: the flag itself, or standard input
}

func (f *requestFlags) read(cmd *cobra.Command, rawURL string) (*described, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usagef("%q is not an http or https URL; write one such as https://orders.example.com/orders/1", rawURL)
	}
	q := &described{method: f.method, raw: rawURL, url: u}
	for i, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" { // not repeated in the message: it may hold a key
			return nil, usagef("--header: number %d has no name and colon; write it as 'Name: value'", i+1)
		}
		q.headers = append(q.headers, authz.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	if q.body, q.bodyFile, err = f.body(cmd); err != nil {
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

func (f *requestFlags) body(cmd *cobra.Command) (body []byte, file string, err error) {
	file, isFile := strings.CutPrefix(f.data, "@")
	switch {
	case !isFile:
		return []byte(f.data), "", nil
	case file == "-":
		body, err = io.ReadAll(cmd.InOrStdin())
		return body, "", err
	default:
		if body, err = os.ReadFile(file); err != nil {
			return nil, "", usagef("--data: %w; name a readable file, or leave out the '@' to send the text itself", err)
		}
		return body, file, nil
	}
}

// target is the path and query in the URL's text, so that nothing is tidied on the way.
func target(rawURL string) string {
	_, rest, _ := strings.Cut(rawURL, "://")
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return rest[i:]
	}
	return ""
}

func isHost(h authz.Header) bool { return strings.EqualFold(h.Name, "host") }

// authority is the host that the request names: that of its Host header, or the URL's.
func (q *described) authority() string {
	if i := slices.IndexFunc(q.headers, isHost); i >= 0 {
		return q.headers[i].Value
	}
	return q.url.Host
}

// request turns the description into what Envoy would hand over.
func (q *described) request() *authz.Request {
	r := &authz.Request{
		Method:     q.method,
		Scheme:     q.url.Scheme,
		Host:       q.authority(),
		Protocol:   "HTTP/1.1",
		RawHeaders: true,
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(target(q.raw), "?")
	for _, h := range q.headers {
		if !isHost(h) {
			r.Headers = append(r.Headers, authz.Header{Name: strings.ToLower(h.Name), Value: h.Value})
		}
	}
	if len(q.body) > 0 {
		if _, n := r.Header("content-length"); n == 0 {
			r.Headers = append(r.Headers, authz.Header{Name: "content-length", Value: strconv.Itoa(len(q.body))})
		}
		r.Body.Bytes = q.body
	}
	return r
}
