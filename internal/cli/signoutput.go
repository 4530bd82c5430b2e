package cli

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/authn/signature"
	"github.com/postern-auth/postern/internal/authz"
)

// signOutput is a signed request on its way out.
type signOutput struct {
	cmd      *cobra.Command
	request  *described
	signed   *signature.Signed
	compared *comparison // nil: with nothing
}

// print prints what to add to the request.
func (o *signOutput) print(format format) error {
	headers := map[string]string{}
	for _, h := range o.signed.Headers {
		headers[h.Name] = h.Value
	}
	return format.print(o.cmd.OutOrStdout(), struct {
		URL      string            `json:"url"`
		Headers  map[string]string `json:"headers"`
		Base     string            `json:"base"`
		Compared *comparison       `json:"compared,omitempty"`
	}{o.signed.URL, headers, o.signed.Base, o.compared})
}

// curl prints the request as a command to paste.
func (o *signOutput) curl() error {
	command, err := curlCommand(o.request, o.signed)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.cmd.OutOrStdout(), command)
	return err
}

// longestArgument is the most that goes into a command's argument, in bytes. Linux takes twice as much.
const longestArgument = 64 << 10

// curlCommand has curl send the request as it was signed.
func curlCommand(q *described, signed *signature.Signed) (string, error) {
	headers := slices.Concat(q.headers, signed.Headers)
	var b strings.Builder
	b.WriteString("curl -sS")
	if strings.ContainsAny(signed.URL, "[]{}") {
		b.WriteString(" --globoff")
	}
	switch {
	case q.method == "HEAD" && len(q.body) == 0:
		b.WriteString(" --head")
	case q.method != "GET" || len(q.body) > 0:
		fmt.Fprintf(&b, " -X %s", shellQuote(q.method))
	}
	for _, h := range headers {
		line := h.Name + ": " + h.Value
		if h.Value == "" {
			line = h.Name + ";" // with a colon curl would leave it out
		}
		fmt.Fprintf(&b, " \\\n  -H %s", shellQuote(line))
	}
	if len(q.body) > 0 {
		if !slices.ContainsFunc(headers, isContentType) {
			b.WriteString(" \\\n  -H 'Content-Type:'") // curl would call it a form
		}
		argument, err := q.curlBody()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, " \\\n  %s", argument)
	}
	fmt.Fprintf(&b, " \\\n  %s", shellQuote(signed.URL))
	return b.String(), nil
}

func isContentType(h authz.Header) bool { return strings.EqualFold(h.Name, "content-type") }

// curlBody writes the body into the command, or names its file where it cannot stand there.
func (q *described) curlBody() (string, error) {
	text := string(q.body)
	switch {
	case utf8.ValidString(text) && !strings.Contains(text, "\x00") && len(text) <= longestArgument:
		return "--data-raw " + shellQuote(text), nil
	case q.bodyFile != "":
		return "--data-binary " + shellQuote("@"+q.bodyFile), nil
	default:
		return "", usagef("--data: the body cannot stand in a command; write it into a file for -d @FILE, or use --send")
	}
}

// shellQuote makes one word of s for a POSIX shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// send sends the signed request and prints status, headers and body.
func (o *signOutput) send(connect string, format format) error {
	q := o.request
	request, err := http.NewRequestWithContext(o.cmd.Context(), q.method, o.signed.URL, strings.NewReader(string(q.body)))
	if err != nil {
		return &usageError{err}
	}
	for _, h := range slices.Concat(q.headers, o.signed.Headers) {
		if !isHost(h) {
			request.Header.Add(h.Name, h.Value)
		}
	}
	request.Host = q.authority()
	if connect != "" {
		request.URL.Host = connect
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
	if format != asText {
		return o.printAnswer(answer, format)
	}
	out := o.cmd.OutOrStdout()
	fmt.Fprintf(out, "%s %s\n", answer.Proto, answer.Status)
	if err := answer.Header.Write(out); err != nil {
		return err
	}
	fmt.Fprintln(out)
	_, err = io.Copy(out, answer.Body)
	return err
}

func (o *signOutput) printAnswer(answer *http.Response, format format) error {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	return format.print(o.cmd.OutOrStdout(), struct {
		Status  int         `json:"status"`
		Headers http.Header `json:"headers"`
		Body    string      `json:"body"`
	}{answer.StatusCode, answer.Header, string(body)})
}
