package harness

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// Received is a request as the upstream saw it.
type Received struct {
	Method  string      `json:"method"`
	Target  string      `json:"target"` // as on the request line
	Host    string      `json:"host"`
	Headers http.Header `json:"headers"`
	Body    string      `json:"body,omitempty"`
}

// Upstream is the application behind Envoy: it remembers every request and answers with what it received, in JSON.
type Upstream struct {
	Port int

	server   *http.Server
	mu       sync.Mutex
	received []Received
	hits     int
	forget   bool
}

// NewUpstream starts an upstream on the port, or on any free one. One that forgets only counts requests.
func NewUpstream(wanted int, forget bool) (*Upstream, error) {
	port, err := FreePort(wanted)
	if err != nil {
		return nil, err
	}
	l, err := listen(port)
	if err != nil {
		return nil, err
	}
	u := &Upstream{Port: port, forget: forget}
	u.server = &http.Server{Handler: u, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 1 << 20}
	go func() { _ = u.server.Serve(l) }()
	return u, nil
}

// ServeHTTP implements http.Handler.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	got := Received{Method: r.Method, Target: r.RequestURI, Host: r.Host, Headers: r.Header, Body: string(body)}
	u.mu.Lock()
	u.hits++
	if !u.forget {
		u.received = append(u.received, got)
	}
	u.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(got); err != nil {
		panic(http.ErrAbortHandler) // the client sees no answer
	}
}

// Hits returns how many requests have arrived.
func (u *Upstream) Hits() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.hits
}

// Take returns the requests received since the last Take.
func (u *Upstream) Take() []Received {
	u.mu.Lock()
	defer u.mu.Unlock()
	got := u.received
	u.received = nil
	return got
}

// Close stops listening and drops every connection.
func (u *Upstream) Close() { _ = u.server.Close() }
