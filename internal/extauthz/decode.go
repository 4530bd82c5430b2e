package extauthz

import (
	"strings"
	"unsafe"

	"github.com/postern-auth/postern/internal/authz"
)

// Limits of one request. Envoy's own defaults are 100 fields and 60 KiB.
const (
	MaxHeaders     = 1000      // header fields, pseudo-headers included
	MaxHeaderBytes = 256 << 10 // bytes of their names and values
	maxExtensions  = 64        // context_extensions of a route
)

var (
	errHeaderLists = malformed("both headers and header_map are set")
	errBodies      = malformed("both body and raw_body are set")
	errQuery       = malformed("query or fragment is set beside path")
	errExtensions  = malformed("there are more than 64 context_extensions")
)

// decoder is the state of decoding one CheckRequest: what has to wait until all of it is read.
type decoder struct {
	*authz.Request

	target      string // path and query as sent
	size        int64  // Envoy's count of the body
	pseudo      pseudoHeaders
	headerCount int
	headerBytes int
	body        string
	mapped      bool // headers had an entry
	metadata    flattener
}

// decode reads a CheckRequest into r, an empty Request. Its strings alias message. The error is an *authz.Failure,
// and then r holds what was read so far.
func decode(message []byte, r *authz.Request) error {
	d := decoder{Request: r}
	d.metadata.into = &r.RouteMetadata
	if err := each(message, d.checkRequest); err != nil {
		return err
	}
	return d.finish()
}

// finish settles what depends on several fields, which may come in any order.
func (d *decoder) finish() error {
	if err := d.pseudo.agree(d); err != nil {
		return err
	}
	if d.mapped && d.RawHeaders {
		return errHeaderLists
	}
	if d.body != "" {
		if len(d.Body.Bytes) > 0 {
			return errBodies
		}
		d.Body.Bytes = unsafe.Slice(unsafe.StringData(d.body), len(d.body))
	}
	d.Path, d.Query, d.HasQuery = strings.Cut(d.target, "?")
	if id, n := d.Header("x-request-id"); n == 1 {
		d.ID = id
	}
	if err := d.SettleBody(d.size); err != nil {
		return authz.Fail(authz.ReasonMalformedRequest, err)
	}
	return nil
}

func (d *decoder) checkRequest(f field) error {
	if f.tag == 1<<3|length {
		return each(f.bytes, d.attribute)
	}
	return nil
}

// attribute reads a field of an AttributeContext.
func (d *decoder) attribute(f field) error {
	switch f.tag {
	case 1<<3 | length:
		return decodePeer(&d.Source, f.bytes)
	case 2<<3 | length:
		return decodePeer(&d.Destination, f.bytes)
	case 4<<3 | length:
		return each(f.bytes, d.request)
	case 10<<3 | length:
		return d.contextExtension(f.bytes)
	case 12<<3 | length:
		return each(f.bytes, d.tlsSession)
	case 13<<3 | length:
		return each(f.bytes, d.metadata.field)
	}
	return nil
}

func (d *decoder) request(f field) error {
	if f.tag == 2<<3|length {
		return each(f.bytes, d.http)
	}
	return nil
}

// http reads a field of an HttpRequest.
func (d *decoder) http(f field) error {
	switch f.tag {
	case 1<<3 | length:
		return setText(&d.ID, f.bytes)
	case 2<<3 | length:
		return setText(&d.Method, f.bytes)
	case 3<<3 | length:
		return d.mapHeader(f.bytes)
	case 4<<3 | length:
		return setText(&d.target, f.bytes)
	case 5<<3 | length:
		return setText(&d.Host, f.bytes)
	case 6<<3 | length:
		return setText(&d.Scheme, f.bytes)
	case 7<<3 | length, 8<<3 | length: // query, fragment: always empty
		if len(f.bytes) > 0 {
			return errQuery
		}
	case 9<<3 | varint:
		d.size = int64(f.value)
	case 10<<3 | length:
		return setText(&d.Protocol, f.bytes)
	case 11<<3 | length:
		return setText(&d.body, f.bytes)
	case 12<<3 | length:
		d.Body.Bytes = f.bytes
	case 13<<3 | length:
		return each(f.bytes, d.headerMap)
	}
	return nil
}

func (d *decoder) tlsSession(f field) error {
	if f.tag == 1<<3|length {
		return setText(&d.SNI, f.bytes)
	}
	return nil
}

// contextExtension adds an entry of a map<string, string>, in which the last value of a name holds.
func (d *decoder) contextExtension(entry []byte) error {
	name, value, err := textEntry(entry)
	if err != nil {
		return err
	}
	for i := range d.ContextExtensions {
		if d.ContextExtensions[i].Name == name {
			d.ContextExtensions[i].Value = value
			return nil
		}
	}
	if len(d.ContextExtensions) == maxExtensions {
		return errExtensions
	}
	d.ContextExtensions = append(d.ContextExtensions, authz.Field{Name: name, Value: value})
	return nil
}
