package jwt

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// dialer connects where allowed lets it. It asks after the name is resolved, about the very address that it is about
// to connect to: a name that resolves differently the next time (DNS rebinding) gains nothing.
func dialer(allowed func(netip.Addr) error) *net.Dialer {
	return &net.Dialer{
		Timeout: fetchTimeout,
		Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return allowed(at.Addr())
		},
	}
}

// metadataServices are addresses where clouds serve credentials and that are not link-local.
var metadataServices = map[netip.Addr]string{
	netip.MustParseAddr("100.100.100.200"): "Alibaba Cloud",
	netip.MustParseAddr("168.63.129.16"):   "Azure",
	netip.MustParseAddr("192.0.0.192"):     "Oracle Cloud",
	netip.MustParseAddr("fd00:ec2::254"):   "AWS",
	netip.MustParseAddr("fd20:ce::254"):    "Google Cloud",
	netip.MustParseAddr("fd00:42::42"):     "Scaleway",
}

// notMetadata refuses addresses that no issuer has: the clouds' metadata services (threats: server-side request
// forgery), link-local, multicast, unspecified and broadcast ones. Private addresses are fine, since issuers inside a
// cluster have them.
func notMetadata(addr netip.Addr) error {
	addr = embedded(addr.WithZone("").Unmap())
	_, known := metadataServices[addr]
	broadcast := addr == netip.AddrFrom4([4]byte{255, 255, 255, 255})
	if known || broadcast || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified() {
		return fmt.Errorf("connections to %s are refused: no issuer has such an address", addr)
	}
	return nil
}

// onlyLoopback keeps plain http on this machine, also where localhost resolves to something else.
func onlyLoopback(addr netip.Addr) error {
	if !addr.Unmap().IsLoopback() {
		return fmt.Errorf("connections to %s are refused: %w", addr, errPlain)
	}
	return nil
}

// translated are the prefixes behind which an IPv4 address may hide, and where in the address it begins.
var translated = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64, RFC 6052
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("2002::/16"), 2}, // 6to4, RFC 3056
	{netip.MustParsePrefix("::/96"), 12},    // IPv4-compatible, RFC 4291 section 2.5.5.1
}

// embedded returns the IPv4 address that an IPv6 address leads to, the address itself if none. "::1" stays what it is.
func embedded(addr netip.Addr) netip.Addr {
	if !addr.Is6() || addr.IsLoopback() || addr.IsUnspecified() {
		return addr
	}
	for _, t := range translated {
		if t.prefix.Contains(addr) {
			b := addr.As16()
			return netip.AddrFrom4([4]byte(b[t.at : t.at+4]))
		}
	}
	return addr
}
