package extauthz

import "github.com/postern-auth/postern/internal/authz"

var errAddress = malformed("a peer has two addresses")

// decodePeer reads an AttributeContext.Peer into p. A peer that is sent in several pieces is merged from them.
func decodePeer(p *authz.Peer, message []byte) error {
	return each(message, func(f field) error {
		switch f.tag {
		case 1<<3 | length:
			return decodeAddress(p, f.bytes)
		case 4<<3 | length:
			return setText(&p.Principal, f.bytes)
		case 5<<3 | length:
			return setText(&p.Certificate, f.bytes)
		}
		return nil
	})
}

// decodeAddress reads a core.v3.Address, of which one kind may be set. A second one is refused rather than merged.
func decodeAddress(p *authz.Peer, message []byte) error {
	return each(message, func(f field) error {
		var decode func(*authz.Peer, []byte) error
		switch f.tag {
		case 1<<3 | length:
			decode = decodeSocketAddress
		case 2<<3 | length:
			decode = decodePipe
		default:
			return nil
		}
		if p.Address != "" || p.Port != 0 {
			return errAddress
		}
		return decode(p, f.bytes)
	})
}

func decodeSocketAddress(p *authz.Peer, message []byte) error {
	return each(message, func(f field) error {
		switch f.tag {
		case 2<<3 | length:
			return setText(&p.Address, f.bytes)
		case 3<<3 | varint:
			p.Port = uint32(f.value)
		}
		return nil
	})
}

func decodePipe(p *authz.Peer, message []byte) error {
	return each(message, func(f field) error {
		if f.tag == 1<<3|length {
			return setText(&p.Address, f.bytes)
		}
		return nil
	})
}
