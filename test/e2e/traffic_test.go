package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// traffic sends good and bad requests over kept connections until it is stopped.
type traffic struct {
	sent   atomic.Int64
	passed atomic.Int64
	stop   func() []string // waits for the last answers; returns what was wrong
}

// call is one kind of request and the statuses that are right answers to it.
type call struct {
	url    string
	header [2]string
	right  []int
}

// startTraffic sends the calls in turn, from four clients, to an address.
func startTraffic(t *testing.T, address string, calls ...call) *traffic {
	t.Helper()
	tr := &traffic{}
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: 5 * time.Second}
	var mu sync.Mutex
	var wrong []string
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; ctx.Err() == nil; i++ {
				if fault := tr.send(client, address, calls[i%len(calls)]); fault != "" {
					mu.Lock()
					wrong = append(wrong, fault)
					mu.Unlock()
				}
			}
		})
	}
	tr.stop = func() []string {
		cancel()
		wg.Wait()
		client.CloseIdleConnections()
		return wrong
	}
	t.Cleanup(func() { tr.stop() })
	return tr
}

// send returns what was wrong with the answer, "" if nothing.
func (tr *traffic) send(client *http.Client, address string, c call) string {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+address+c.url, nil)
	if err != nil {
		return err.Error()
	}
	req.Host = "localhost"
	req.Header.Set(c.header[0], c.header[1])
	resp, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	tr.sent.Add(1)
	if resp.StatusCode == http.StatusOK {
		tr.passed.Add(1)
	}
	if err != nil || !slices.Contains(c.right, resp.StatusCode) {
		return fmt.Sprintf("%s with %s: %d, want one of %v (%v) %s", c.url, c.header[0], resp.StatusCode, c.right, err, body)
	}
	return ""
}

// more waits until n more requests have been answered.
func (tr *traffic) more(t *testing.T, n int64) {
	t.Helper()
	goal := tr.sent.Load() + n
	await(t, 30*time.Second, fmt.Sprintf("%d more requests are answered", n), func() bool { return tr.sent.Load() >= goal })
}

// finish stops the traffic and asserts that every answer was right and that the upstream saw what was let through,
// and nothing else.
func (tr *traffic) finish(t *testing.T, hits func() int) {
	t.Helper()
	wrong := tr.stop()
	for _, w := range wrong[:min(len(wrong), 5)] {
		t.Error(w)
	}
	if len(wrong) > 0 {
		t.Errorf("%d of %d answers were wrong", len(wrong), tr.sent.Load())
	}
	if passed := tr.passed.Load(); int64(hits()) != passed {
		t.Errorf("the upstream saw %d requests, %d were let through", hits(), passed)
	}
}
