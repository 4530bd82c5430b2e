package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Answer is what a client got.
type Answer struct {
	Status  int
	Headers http.Header
	Body    string
}

// Code returns the word of a problem document (RFC 9457), "" if the body is none.
func (a Answer) Code() string {
	var problem struct {
		Code string `json:"code"`
	}
	if a.Headers.Get("Content-Type") != "application/problem+json" || json.Unmarshal([]byte(a.Body), &problem) != nil {
		return ""
	}
	return problem.Code
}

// Echo returns the request that the upstream answered with.
func (a Answer) Echo() (Received, error) {
	var r Received
	if err := json.Unmarshal([]byte(a.Body), &r); err != nil {
		return r, fmt.Errorf("the answer is not the upstream's: %w", err)
	}
	return r, nil
}

// Request is an HTTP/1.1 request whose bytes go out as they stand: nothing is checked, escaped or tidied.
type Request struct {
	Method string
	Target string
	Fields []string // "Name: value"
	Body   string
}

// With returns a copy of r with more fields.
func (r Request) With(fields ...string) Request {
	r.Fields = append(slices.Clip(r.Fields), fields...)
	return r
}

// Field returns the first value of a field, "" if it is not there.
func (r Request) Field(name string) string {
	for _, f := range r.Fields {
		if n, v, _ := strings.Cut(f, ":"); strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Bytes returns the message. A body gets a Content-Length unless the fields tell its length themselves.
func (r Request) Bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", r.Method, r.Target)
	for _, f := range r.Fields {
		b.WriteString(f + "\r\n")
	}
	if r.Body != "" && r.Field("Content-Length") == "" && r.Field("Transfer-Encoding") == "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n" + r.Body)
	return b.Bytes()
}

// Send sends the request over a connection of its own and reads one answer.
func (r Request) Send(ctx context.Context, address string) (Answer, error) {
	return Exchange(ctx, address, r.Method, r.Bytes())
}

// Exchange sends bytes over a connection of their own and reads one HTTP/1.1 answer to the method.
func Exchange(ctx context.Context, address, method string, message []byte) (Answer, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = conn.Close() }()
	// A server may answer and close before it has read everything: only what it answers counts.
	go func() { _, _ = conn.Write(message) }()
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return Answer{}, fmt.Errorf("reading the answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return Answer{Status: resp.StatusCode, Headers: resp.Header, Body: string(body)}, err
}

// dial makes a connection for one exchange.
func dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(10 * time.Second))
}
