package admin

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often a peer may fail to authenticate.
const (
	failuresAtOnce = 10
	failureEvery   = 5 * time.Second // after those
	maxPeers       = 10_000          // that are remembered; the one that failed longest ago is forgotten first
)

// failures limits how often each peer is told that its credential is wrong. Who presents a good one is never held up by
// others behind the same address.
type failures struct {
	now func() time.Time

	mu     sync.Mutex
	byPeer map[string]*list.Element // of recent
	recent *list.List               // of *failing, who failed last in front
}

type failing struct {
	peer    string
	limiter *rate.Limiter
}

func newFailures(now func() time.Time) *failures {
	return &failures{now: now, byPeer: map[string]*list.Element{}, recent: list.New()}
}

// add counts a failure. It returns how long the peer should wait if that was one too many, else 0.
func (f *failures) add(peer string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	element := f.byPeer[peer]
	if element == nil {
		element = f.recent.PushFront(&failing{peer, rate.NewLimiter(rate.Every(failureEvery), failuresAtOnce)})
		f.byPeer[peer] = element
	}
	f.recent.MoveToFront(element)
	if f.recent.Len() > maxPeers {
		oldest := f.recent.Remove(f.recent.Back()).(*failing)
		delete(f.byPeer, oldest.peer)
	}
	now := f.now()
	r := element.Value.(*failing).limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// peerOf returns what a remote address is counted by: the address without its port, of IPv6 the /64 that one customer
// has.
func peerOf(remote string) (shown, counted string) {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return "unix", "unix"
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host, host
	}
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	return addr.String(), netip.PrefixFrom(addr, bits).Masked().String()
}
