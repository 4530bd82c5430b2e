package harness

import (
	"bytes"
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy stands between clients and a server, and can do to their connections what networks do. Its faults exclude each
// other; [Proxy.Mend] ends them.
type Proxy struct {
	Address string // host:port on 127.0.0.1, where clients connect

	target   string
	listener net.Listener
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu    sync.Mutex
	open  map[*passage]bool
	cut   bool
	hang  bool
	delay time.Duration
	swap  bool
	first *answer // of a swap, that waits for the second
	lose  [][]byte
	holds []*Held

	swapped atomic.Int64
}

// passage is a connection through a Proxy.
type passage struct {
	client, server net.Conn

	dead atomic.Bool // everything sent is lost
	held atomic.Pointer[Held]
}

// answer is what a server has sent at a time.
type answer struct {
	to   *passage
	text []byte
}

// StartProxy carries connections to the target, host:port.
func StartProxy(target string) (*Proxy, error) {
	port, err := FreePort(0)
	if err != nil {
		return nil, err
	}
	l, err := listen(port)
	if err != nil {
		return nil, err
	}
	p := &Proxy{Address: l.Addr().String(), target: target, listener: l, open: map[*passage]bool{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.pass(client) })
		}
	})
	return p, nil
}

// Close ends all connections.
func (p *Proxy) Close() {
	p.stop()
	_ = p.listener.Close()
	p.running.Wait()
}

// Cut drops all connections, and new ones as soon as they are made.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.open {
		c.close()
	}
}

// Hang loses all that is sent, without a word to either side. New connections are accepted. Those that are hit never
// recover, as if a router had forgotten them.
func (p *Proxy) Hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hang = true
	for c := range p.open {
		c.dead.Store(true)
	}
}

// Lose makes every connection hang over which a client sends the bytes, from then on, whatever else is mended.
func (p *Proxy) Lose(question []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = append(p.lose, question)
}

// Delay holds back whatever the server sends for some time.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Swap exchanges what the server sends over two connections at about the same time: each client gets the other's answer.
func (p *Proxy) Swap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swap = true
}

// Swapped returns how many pairs of answers were exchanged.
func (p *Proxy) Swapped() int64 { return p.swapped.Load() }

// Mend ends cuts, hanging, delays and swaps.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.hang, p.delay, p.swap = false, false, 0, false
	if p.first != nil {
		_, _ = p.first.to.client.Write(p.first.text)
		p.first = nil
	}
}

// Held is a question whose answer is held back.
type Held struct {
	Arrived <-chan struct{} // closed when the answer has come from the server
	Release func()          // lets the answer through; it may be called again

	question []byte
	arrive   func()
	released <-chan struct{}
}

// Hold holds back what the server answers to the next question that contains the bytes, until it is released.
func (p *Proxy) Hold(question []byte) *Held {
	arrived, released := make(chan struct{}), make(chan struct{})
	h := &Held{
		Arrived: arrived, Release: sync.OnceFunc(func() { close(released) }),
		question: question, arrive: sync.OnceFunc(func() { close(arrived) }), released: released,
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = append(p.holds, h)
	return h
}

func (c *passage) close() {
	_ = c.client.Close()
	_ = c.server.Close()
}

func (p *Proxy) pass(client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(p.ctx, "tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	c := &passage{client: client, server: server}
	p.mu.Lock()
	p.open[c] = true
	c.dead.Store(p.hang)
	if p.cut {
		c.close()
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, c)
	}()
	defer context.AfterFunc(p.ctx, c.close)()
	var back sync.WaitGroup
	back.Go(func() {
		carry(server, func(text []byte) { p.answer(c, text) })
		if !c.dead.Load() { // of one that is dead the client does not hear the end either
			c.close()
		}
	})
	carry(client, func(text []byte) { p.ask(c, text) })
	c.close()
	back.Wait()
}

// carry hands on what comes from one side until it ends.
func carry(from net.Conn, to func([]byte)) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			to(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// ask takes what a client sends.
func (p *Proxy) ask(c *passage, text []byte) {
	p.mu.Lock()
	if slices.ContainsFunc(p.lose, func(q []byte) bool { return bytes.Contains(text, q) }) {
		c.dead.Store(true)
	}
	if i := slices.IndexFunc(p.holds, func(h *Held) bool { return bytes.Contains(text, h.question) }); i >= 0 {
		c.held.Store(p.holds[i])
		p.holds = slices.Delete(p.holds, i, i+1)
	}
	p.mu.Unlock()
	if !c.dead.Load() {
		_, _ = c.server.Write(text)
	}
}

// answer takes what the server sends. Whoever cannot be written to hangs up, which ends the passage.
func (p *Proxy) answer(c *passage, text []byte) {
	if h := c.held.Load(); h != nil {
		h.arrive()
		wait(p, h.released)
	}
	p.mu.Lock()
	delay := p.delay
	p.mu.Unlock()
	if delay > 0 {
		wait(p, time.After(delay))
	}
	if !c.dead.Load() && !p.exchange(c, text) {
		_, _ = c.client.Write(text)
	}
}

// exchange reports whether it took the answer for a swap.
func (p *Proxy) exchange(c *passage, text []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.swap:
		return false
	case p.first == nil:
		p.first = &answer{c, bytes.Clone(text)}
	case p.first.to == c:
		p.first.text = append(p.first.text, text...)
	default:
		_, _ = c.client.Write(p.first.text)
		_, _ = p.first.to.client.Write(text)
		p.first = nil
		p.swapped.Add(1)
	}
	return true
}

// wait returns when something has happened, or the Proxy is closed.
func wait[T any](p *Proxy, happened <-chan T) {
	select {
	case <-happened:
	case <-p.ctx.Done():
	}
}
